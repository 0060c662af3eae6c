/** Keeps the rest of the page when a part cannot be shown: its value may be anything. */

import { Component, type ReactElement, type ReactNode } from 'react';

interface Props {
  /** What is shown: another one is tried again. */
  readonly value: unknown;
  readonly children: ReactNode;
}

export class PartBoundary extends Component<Props, { readonly isBroken: boolean }> {
  override state = { isBroken: false };

  static getDerivedStateFromError(): { isBroken: boolean } {
    return { isBroken: true };
  }

  override componentDidUpdate(former: Props): void {
    if (this.state.isBroken && former.value !== this.props.value) this.setState({ isBroken: false });
  }

  override render(): ReactNode {
    return this.state.isBroken ? <Broken /> : this.props.children;
  }
}

function Broken(): ReactElement {
  return <p className="dim">This part cannot be shown.</p>;
}
