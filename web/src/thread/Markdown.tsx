/** Markdown of models and people: no HTML, no remote pictures, links that show their address. */

import { MarkdownTextPrimitive } from '@assistant-ui/react-markdown';
import { memo, type ComponentProps, type ReactElement } from 'react';
import remarkGfm from 'remark-gfm';
import { Icon } from '../ui/icons.tsx';
import { CopyButton } from '../ui/CopyButton.tsx';

const SAFE = /^(https?|mailto):/i;

export function Link({ href, children }: { href?: string | undefined; children?: ComponentProps<'a'>['children'] }): ReactElement {
  if (!href || !SAFE.test(href)) return <span>{children}</span>;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow" title={href}>
      {children}
    </a>
  );
}

const COMPONENTS: ComponentProps<typeof MarkdownTextPrimitive>['components'] = {
  a: Link,
  img: ({ src, alt }) => (
    <Link href={typeof src === 'string' ? src : undefined}>
      <Icon name="link" size={14} /> {alt || 'Picture'}
    </Link>
  ),
  table: ({ node: _, ...rest }) => (
    <div className="table-scroll" role="region" aria-label="Table" tabIndex={0}>
      <table {...rest} />
    </div>
  ),
  pre: ({ node: _, ...rest }) => <pre {...rest} tabIndex={0} />,
  CodeHeader: ({ language, code }) => (
    <div className="code-header">
      <span>{language && language !== 'unknown' ? language : 'code'}</span>
      <CopyButton text={code} label="Copy code" />
    </div>
  ),
};

const AUTO_DIRECTION = { dir: 'auto' } as const;
const PLUGINS = [remarkGfm];

/** Renders the text part of assistant-ui that contains it. */
export const Markdown = memo(function Markdown(): ReactElement {
  return <MarkdownTextPrimitive className="markdown" containerProps={AUTO_DIRECTION} remarkPlugins={PLUGINS} components={COMPONENTS} smooth={false} />;
});
