import { useMutation } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'

const PAUSE = 350 // ms: a few clicks in a row are one change

/** A number that shows what was chosen at once, saves it when the clicks pause, and goes back to
 * the known one when saving fails.
 */
export function useSettled(known: number, save: (value: number) => Promise<void>) {
  const [chosen, setChosen] = useState<number | null>(null)
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  const newest = useRef<number | null>(null)
  const saving = useMutation({
    mutationFn: save,
    scope: { id: 'scale' }, // one after the other, in the order of the clicks
    onSettled: (_data, _error, value) => {
      if (newest.current === value) settle(null)
    },
  })

  function settle(value: number | null): void {
    newest.current = value
    setChosen(value)
  }

  function change(value: number): void {
    saving.reset()
    settle(value)
    clearTimeout(timer.current)
    timer.current = setTimeout(() => saving.mutate(value), PAUSE)
  }

  useEffect(() => () => clearTimeout(timer.current), [])
  return { value: chosen ?? known, change, problem: saving.error }
}
