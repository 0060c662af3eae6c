import type { ComponentProps, ReactElement } from 'react';
import { Icon, type IconName } from './icons.tsx';

interface Props extends ComponentProps<'button'> {
  readonly icon: IconName;
  /** Describes the action; the tooltip, and the name for screen readers. */
  readonly label: string;
}

export function IconButton({ icon, label, className = '', ...rest }: Props): ReactElement {
  return (
    <button type="button" className={`icon-button ${className}`} title={label} aria-label={label} {...rest}>
      <Icon name={icon} />
    </button>
  );
}
