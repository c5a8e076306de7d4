import type { CallOptions, DoctorCheck } from '../../host-api.ts'
import type { HostContext } from '../context.ts'

export async function checkMachine(
  _host: HostContext,
  _options: CallOptions,
): Promise<readonly DoctorCheck[]> {
  return []
}
