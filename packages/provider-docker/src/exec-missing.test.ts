import { describe, expect, it } from 'vitest'
import { missingProgram } from './exec-missing.ts'

// As docker 20.10.24 and 28.5.2 write them into stdout.
const old = 'OCI runtime exec failed: exec failed: unable to start container process: '

describe('missingProgram', () => {
  it.each([
    [
      `${old}exec: "nope": executable file not found in $PATH: unknown\r\n`,
      127,
      'holm: exec: "nope": executable file not found in $PATH\n',
    ],
    [
      `${old}exec: "/nope": stat /nope: no such file or directory: unknown`,
      127,
      'holm: exec: "/nope": stat /nope: no such file or directory\n',
    ],
    [`${old}exec: "/etc": permission denied: unknown`, 126, 'holm: exec: "/etc": permission denied\n'],
    [
      `${old}chdir to cwd ("/x") set in config.json failed: no such file or directory: unknown`,
      126,
      'holm: chdir to cwd ("/x") set in config.json failed: no such file or directory\n',
    ],
    [
      'unable to find user nope: no matching entries in passwd file',
      126,
      'holm: unable to find user nope: no matching entries in passwd file\n',
    ],
  ])('reads %s', (output, code, message) => {
    expect(missingProgram(output, { pid: 0, code: 126 })).toEqual({ code, message })
  })

  it('leaves the same words alone when a program wrote them', () => {
    expect(missingProgram(`${old}x`, { pid: 4711, code: 1 })).toBeUndefined()
    expect(missingProgram('ordinary', { pid: 0, code: 126 })).toBeUndefined()
  })
})
