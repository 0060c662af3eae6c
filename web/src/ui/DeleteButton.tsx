import { useState, type ReactElement } from 'react';
import { IconButton } from './IconButton.tsx';

interface Props {
  readonly label: string;
  /** What the second button says: what is deleted is gone for good. */
  readonly sureLabel: string;
  readonly onDelete: () => void;
}

/** Asks once more before it deletes. */
export function DeleteButton({ label, sureLabel, onDelete }: Props): ReactElement {
  const [isSure, setIsSure] = useState(false);
  if (!isSure) return <IconButton icon="trash" label={label} onClick={() => setIsSure(true)} />;
  // Safari does not focus a button that is pressed: the focus would go, and the button with it, before the click.
  return (
    <button
      type="button"
      className="button danger"
      autoFocus
      onMouseDown={(event) => event.preventDefault()}
      onBlur={() => setIsSure(false)}
      onClick={onDelete}
    >
      {sureLabel}
    </button>
  );
}
