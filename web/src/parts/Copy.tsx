import { ActionIcon, Tooltip } from '@mantine/core'
import { useEffect, useState } from 'react'
import { Icon } from './Icon'

/** Copy a text; what is named in the label of the button. */
export function Copy({ text, what }: { text: string; what: string }) {
  const [copied, setCopied] = useState(false)
  useEffect(() => {
    if (!copied) return
    const timer = setTimeout(() => setCopied(false), 1500)
    return () => clearTimeout(timer)
  }, [copied])
  return (
    <Tooltip label={copied ? 'Copied' : `Copy ${what}`}>
      <ActionIcon
        variant="subtle"
        color={copied ? 'tide' : 'gray'}
        aria-label={copied ? 'Copied' : `Copy ${what}`}
        onClick={() => void write(text).then(() => setCopied(true))}
      >
        <Icon name={copied ? 'check' : 'copy'} />
      </ActionIcon>
    </Tooltip>
  )
}

/** The clipboard needs HTTPS or this machine; the older way works elsewhere too. */
async function write(text: string): Promise<void> {
  if (window.isSecureContext) return navigator.clipboard.writeText(text)
  const area = document.createElement('textarea')
  area.value = text
  area.className = 'visually-hidden'
  document.body.append(area)
  area.select()
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- there is no other way over HTTP
  document.execCommand('copy')
  area.remove()
}

/** Commands to type, with a button that copies them. */
export function Commands({ lines, what = 'the commands' }: { lines: string[]; what?: string }) {
  return (
    <div className="commands">
      <pre tabIndex={0} aria-label={what}>
        {lines.map((line) => (
          <code key={line}>{line}</code>
        ))}
      </pre>
      <Copy text={lines.join('\n')} what={what} />
    </div>
  )
}
