import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from '@mantine/core'

const tide: MantineColorsTuple = [
  '#e6f4f3',
  '#cfe8e6',
  '#a3d4d0',
  '#79c4be',
  '#63c1ba',
  '#2f9691',
  '#137b76',
  '#0a6c69',
  '#085b59',
  '#054846',
]

const red: MantineColorsTuple = [
  '#fdeceb',
  '#f9d3d0',
  '#f5948b',
  '#f07b71',
  '#ea5b50',
  '#e04a3f',
  '#c5342a',
  '#b0231b',
  '#941910',
  '#7a120a',
]

const dark: MantineColorsTuple = [
  '#e3ebe9',
  '#bac7c4',
  '#98a8a5',
  '#6d7d7a',
  '#3a494c',
  '#2a373a',
  '#1b2528',
  '#151d20',
  '#0e1416',
  '#080c0d',
]

export const theme = createTheme({
  colors: { tide, red, dark },
  primaryColor: 'tide',
  primaryShade: { light: 7, dark: 6 },
  autoContrast: true,
  fontFamily: 'var(--font)',
  fontFamilyMonospace: 'var(--mono)',
  headings: { fontFamily: 'var(--font)', fontWeight: '600' },
  defaultRadius: 6,
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    Tooltip: {
      defaultProps: { openDelay: 250, events: { hover: true, focus: true, touch: true } },
    },
    Modal: {
      defaultProps: {
        centered: true,
        radius: 10,
        overlayProps: { backgroundOpacity: 0.45 },
        closeButtonProps: { 'aria-label': 'Close' },
        attributes: { header: { role: 'presentation' } }, // a <header>, but not the page's
      },
    },
  },
})

const ours = {
  '--mantine-color-body': 'var(--paper)',
  '--mantine-color-text': 'var(--ink)',
  '--mantine-color-dimmed': 'var(--muted)',
  '--mantine-color-placeholder': 'var(--muted)',
  '--mantine-color-error': 'var(--bad)',
  '--mantine-color-default': 'var(--surface)',
  '--mantine-color-default-border': 'var(--line-strong)',
}

/** Mantine's colours follow those of styles/tokens.css. */
export const variables: CSSVariablesResolver = () => ({ variables: {}, light: ours, dark: ours })
