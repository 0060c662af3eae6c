/** A question that waits; when it goes with the focus in it, that goes to where one writes. */

import { useLayoutEffect, useRef, type ComponentProps, type ReactElement } from 'react';

export function QuestionCard(props: ComponentProps<'section'>): ReactElement {
  const card = useRef<HTMLElement>(null);
  useLayoutEffect(() => {
    const shown = card.current;
    return () => {
      if (shown?.contains(document.activeElement)) document.querySelector<HTMLElement>('.composer-input')?.focus();
    };
  }, []);
  return <section {...props} ref={card} className="approval" role="alertdialog" />;
}
