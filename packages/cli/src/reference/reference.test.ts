import { describe, expect, it } from 'vitest'
import { builtins } from '../commands/index.ts'
import { renderManPages } from './man.ts'
import { renderCommandsPage } from './markdown.ts'

const table = {
  id: 'demo run',
  summary: 'Run a demo.',
  description: '.dots and back\\slashes',
  group: 'holm' as const,
  args: [{ name: 'name', description: 'Which | one.' }],
  flags: { size: { type: 'integer' as const, char: 's', description: 'How big.', default: 3 } },
  rest: { name: 'COMMAND', description: 'What.', required: true },
  examples: [{ command: 'holm demo run -- ls', description: 'Just run.' }],
}

describe('reference', () => {
  it('has every command that is not hidden', () => {
    const ids = builtins.filter(({ hidden }) => !hidden).map(({ id }) => id)
    const page = renderCommandsPage(builtins)
    const pages = Object.keys(renderManPages(builtins))
    expect(page.match(/^### .*$/gm)).toEqual(ids.map((id) => `### holm ${id}`))
    expect(pages).toEqual(['holm.1', ...ids.map((id) => `holm-${id.replaceAll(' ', '-')}.1`)])
  })

  it('renders a command as Markdown', () => {
    expect(renderCommandsPage([table]).split('### ')[1]).toMatchInlineSnapshot(`
      "holm demo run

      Run a demo.

      .dots and back\\slashes

      \`\`\`text
      holm demo run [NAME] [FLAGS] -- COMMAND…
      \`\`\`

      | argument | meaning       |
      | -------- | ------------- |
      | \`NAME\`   | Which \\| one. |

      | flag                | meaning              |
      | ------------------- | -------------------- |
      | \`-s, --size=NUMBER\` | How big. Default: 3. |

      \`\`\`sh
      # Just run.
      holm demo run -- ls
      \`\`\`
      "
    `)
  })

  it('renders a command as roff', () => {
    expect(renderManPages([table])['holm-demo-run.1']?.split('.SH GLOBAL')[0]).toMatchInlineSnapshot(`
      ".\\" Generated from the command definitions; do not edit.
      .TH "HOLM-DEMO-RUN" 1 "" holm holm
      .SH NAME
      holm\\-demo\\-run \\- Run a demo
      .SH SYNOPSIS
      .B holm
      demo run [NAME] [FLAGS] \\-\\- COMMAND…
      .SH DESCRIPTION
      \\&.dots and back\\eslashes
      .SH ARGUMENTS
      .TP
      .B NAME
      Which | one.
      .SH FLAGS
      .TP
      .B \\-s, \\-\\-size=NUMBER
      How big. Default: 3.
      "
    `)
  })
})
