import type { Provider } from '../../provider.ts'
import type { EnvironmentSpec } from '../../spec.ts'
import { createAdminInside } from '../environment/inside.ts'
import type { Operation } from '../operation.ts'

/** Only where such files exist: a container that has none needs none. A link leads elsewhere and is left alone. */
const script = `
id=$(tr -d - 2>/dev/null </proc/sys/kernel/random/uuid)
for file in /etc/machine-id /var/lib/dbus/machine-id; do
  [ -s "$file" ] && [ ! -L "$file" ] && [ -n "$id" ] && echo "$id" >"$file"
done
for key in /etc/ssh/ssh_host_*_key; do
  [ -f "$key" ] || continue
  kind=\${key#/etc/ssh/ssh_host_}
  rm -f "$key" "$key.pub"
  command -v ssh-keygen >/dev/null && ssh-keygen -q -t "\${kind%_key}" -N '' -f "$key" </dev/null >/dev/null
done
rm -f /etc/docker/key.json /var/lib/docker/engine-id
exit 0
`

export interface IdentityWork {
  readonly provider: Provider
  readonly operation: Operation
  readonly spec: EnvironmentSpec
}

/** A clone is a machine of its own: new machine-id, SSH host keys and name of the Docker engine. Never where the files are this machine's. */
export async function renewIdentity({ provider, operation, spec }: IdentityWork): Promise<void> {
  if (provider.traits.isolation === 'none' || spec.base.kind === 'host') return
  const inside = createAdminInside({ provider, operation, spec })
  await operation.step('identity', async () => {
    const { code, stderr } = await inside.run({ argv: ['sh', '-c', script], cwd: '/' })
    if (code !== 0) operation.warn(`machine-id and SSH host keys were not renewed: ${stderr.trim()}`)
  })
}
