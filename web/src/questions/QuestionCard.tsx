/** A question that waits. It takes the focus from nobody who writes or uses something else; when it goes with the focus in
 * it, that goes to the next question, or to where it was. */

import { useLayoutEffect, useRef, type ComponentProps, type KeyboardEvent, type ReactElement } from 'react';

const WRITING = '.composer-input';
const OTHERS = '.approval';

export function QuestionCard(props: ComponentProps<'section'>): ReactElement {
  const card = useRef<HTMLElement>(null);
  const former = useRef<Element>(null);
  const goBack = (): void => focusOn(former.current?.isConnected ? former.current : document.querySelector(WRITING));
  useLayoutEffect(() => {
    const shown = card.current;
    if (isFree(document.activeElement)) {
      former.current = document.activeElement === document.body ? null : document.activeElement;
      shown?.focus();
    }
    return () => {
      if (!shown?.contains(document.activeElement)) return;
      const next = [...document.querySelectorAll(OTHERS)].find((each) => each !== shown);
      if (next) focusOn(next);
      else goBack();
    };
  }, []);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape' && !event.nativeEvent.isComposing) goBack();
  };
  return <section {...props} ref={card} className="approval" role="alertdialog" tabIndex={-1} onKeyDown={onKeyDown} />;
}

/** Whether nobody is at work there: nothing has the focus, or an empty text box that was just sent from. */
const isFree = (element: Element | null): boolean =>
  element === null || element === document.body || (element instanceof HTMLTextAreaElement && element.matches(WRITING) && element.value === '');

const focusOn = (element: Element | null): void => (element as HTMLElement | null)?.focus();
