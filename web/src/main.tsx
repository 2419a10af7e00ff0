import './styles'
import { MantineProvider } from '@mantine/core'
import { QueryClientProvider } from '@tanstack/react-query'
import { setNonce } from 'get-nonce'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { queries, sessionQuery } from './api/session'
import { loadAhead, Pages } from './Pages'
import { Failure } from './parts/Failure'
import { theme, variables } from './theme'

const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? ''
setNonce(nonce) // for the style that keeps the page from scrolling under a dialog

queries.query(sessionQuery).catch(() => null) // ask at once; the page shows what comes of it
loadAhead(location.pathname).catch(() => null)

const root = document.getElementById('root')
if (!root) throw new Error('index.html has no #root')

createRoot(root).render(
  <StrictMode>
    <MantineProvider
      theme={theme}
      cssVariablesResolver={variables}
      defaultColorScheme="auto"
      getStyleNonce={() => nonce}
    >
      <QueryClientProvider client={queries}>
        <Failure place="">
          <Pages />
        </Failure>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
)
