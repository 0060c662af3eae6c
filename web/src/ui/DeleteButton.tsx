import { useState, type ReactElement } from 'react';
import { IconButton } from './IconButton.tsx';

interface Props {
  readonly label: string;
  /** Label of the second button, which confirms the deletion. */
  readonly sureLabel: string;
  readonly onDelete: () => void;
}

/** Asks for confirmation before deleting. */
export function DeleteButton({ label, sureLabel, onDelete }: Props): ReactElement {
  const [isSure, setIsSure] = useState(false);
  if (!isSure) return <IconButton icon="trash" label={label} onClick={() => setIsSure(true)} />;
  // Safari does not focus a pressed button: the focus would be lost, and the button with it, before the click.
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
