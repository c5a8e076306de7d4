import { expect, it } from 'vitest'
import { parseConnections } from './activity.ts'
import { parseIdle } from './duration.ts'

it('counts connections from outside to what listens, and none that stay inside', () => {
  const web = '020011AC:0BB8'
  const output = [
    '0A 00000000:0BB8 00000000:0000',
    '0A 0100007F:1538 00000000:0000',
    `01 ${web} 010011AC:D431`,
    // The application at its database: both ends are here.
    '01 0100007F:1538 0100007F:9C40',
    '01 0100007F:9C40 0100007F:1538',
    // Out to somebody else's service.
    '01 020011AC:9C41 08080808:01BB',
    'accepted RtoAlgorithm',
    'accepted 17',
  ].join('\n')
  expect(parseConnections(output)).toEqual({ fromOutside: 1, accepted: 17 })
  expect(parseConnections('')).toEqual({ fromOutside: 0, accepted: undefined })
})

it('reads a time', () => {
  expect(['off', '90s', '30m', '1.5h'].map(parseIdle)).toEqual([0, 90_000, 1_800_000, 5_400_000])
  for (const wrong of ['', '30', 'm', '-1m', '0s', '1d', '9999999h', '1e3s'])
    expect(parseIdle(wrong), wrong).toBeUndefined()
})
