import type { CallOptions, DoctorCheck, HostApi } from '../../host-api.ts'
import type { HostContext } from '../context.ts'

/** Every check of this machine; a damaged or locked state file is a finding, not a failure. */
export async function checkMachine(
  host: HostContext,
  providers: HostApi['providers'],
  options: CallOptions,
): Promise<readonly DoctorCheck[]> {
  const { runDoctor } = await import('../doctor.ts')
  const { paths, runner, platform } = host
  return runDoctor({
    providers: () => providers.list({ ...options, probe: true }),
    paths,
    runner,
    platform,
    verifyState: () => host.state.verify(),
  })
}
