const PATHS = {
  copy: 'M5.5 5.5h7v8h-7zM3.5 10.5v-8h7',
  check: 'M3 8.5l3.5 3.5L13 4.5',
  out: 'M6.5 3.5h-3v9h9v-3M9 3h4v4M13 3L7.5 8.5',
  eye: 'M1.5 8C4 3.7 12 3.7 14.5 8 12 12.3 4 12.3 1.5 8zM8 6.2a1.8 1.8 0 100 3.6 1.8 1.8 0 000-3.6z',
  hidden:
    'M2.5 2.5l11 11M6 4.9c3.3-.8 6.8.5 8.5 3.1-.5.8-1.2 1.5-2 2M4 5.8C3 6.4 2.1 7.1 1.5 8c1.8 2.9 5.8 4.1 9 2.7',
  plus: 'M8 3v10M3 8h10',
  minus: 'M3 8h10',
  cross: 'M4 4l8 8M12 4l-8 8',
  edit: 'M3 13l.7-2.9L10.8 3l2.2 2.2-7.1 7.1z',
  down: 'M8 3v10M4 9l4 4 4-4',
  chevron: 'M6 3.5L10.5 8 6 12.5',
  person: 'M8 8a2.6 2.6 0 100-5.2A2.6 2.6 0 008 8zM2.8 13.5c.6-2.6 2.6-3.7 5.2-3.7s4.6 1.1 5.2 3.7',
  search: 'M7 11.5a4.5 4.5 0 100-9 4.5 4.5 0 000 9zM10.3 10.3L14 14',
}

/** A small drawing in the colour of the text; what it means is said in words beside it. */
export function Icon({ name, size = 16 }: { name: keyof typeof PATHS; size?: number }) {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  )
}

/** The mark: an h that stands at the water. */
export function Mark({ size = 26 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" className="mark">
      <rect width="32" height="32" rx="7" className="mark-ground" />
      <path d="M10 6v14M10 14c0-5 11-6 11 1v5" className="mark-letter" />
      <path
        d="M5 25c2.8 0 2.8-1.8 5.5-1.8S13.2 25 16 25s2.8-1.8 5.5-1.8S24.2 25 27 25"
        className="mark-water"
      />
    </svg>
  )
}
