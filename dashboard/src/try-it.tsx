import { useState } from 'react'
import { measure } from '#rating/measure.ts'
import { price } from '#rating/price.ts'
import { standardRateCard } from '#rating/rate-card.ts'
import { ChargeLines } from './charge-lines.tsx'
import { Field } from './field.tsx'
import { credits } from './format.ts'
import { Panel } from './panel.tsx'
import { changeView } from './view.ts'

/** What a text would cost, computed here: it is sent nowhere and kept nowhere. */
export const TryIt = () => {
  const [text, setText] = useState('')
  const charge = price(measure(text), standardRateCard)
  return (
    <Panel title="Try it" close={() => changeView({ isTrying: false })}>
      <Field name="Message">
        {(input) => (
          <textarea
            {...input}
            rows={6}
            value={text}
            onChange={({ target }) => setText(target.value)}
            aria-describedby="try-hint"
          />
        )}
      </Field>
      <p id="try-hint" className="hint">
        Priced in this page as you type, by the code that bills, with the rate card {standardRateCard.version}. The text
        leaves nowhere.
      </p>
      <p className="big" role="status">
        {credits(charge.credits)} <span>credits</span>
      </p>
      <ChargeLines lines={charge.lines} total={charge.credits} />
    </Panel>
  )
}
