import { createTheme, type MantineColorsTuple } from '@mantine/core'

const tide: MantineColorsTuple = [
  '#e6f4f3',
  '#cfe8e6',
  '#a3d4d0',
  '#79c4be',
  '#63c1ba',
  '#2f9691',
  '#178580',
  '#0a6c69',
  '#085b59',
  '#054846',
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
  colors: { tide, dark },
  primaryColor: 'tide',
  primaryShade: { light: 7, dark: 4 },
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
      defaultProps: { centered: true, radius: 10, overlayProps: { backgroundOpacity: 0.45 } },
    },
  },
})
