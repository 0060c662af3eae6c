import type { ComponentProps, ReactElement } from 'react';
import { Icon, type IconName } from './icons.tsx';

interface Props extends ComponentProps<'button'> {
  readonly icon: IconName;
  /** What it does; shown as a tooltip and read aloud. */
  readonly label: string;
}

export function IconButton({ icon, label, className = '', ...rest }: Props): ReactElement {
  return (
    <button type="button" className={`icon-button ${className}`} title={label} aria-label={label} {...rest}>
      <Icon name={icon} />
    </button>
  );
}
