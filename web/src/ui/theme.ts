/** Light or dark: the system's setting, until the user chooses. */

import { useCallback, useEffect, useState } from 'react';

const KEY = 'room-agent.theme';

export interface ThemeChoice {
  readonly isDark: boolean;
  readonly toggle: () => void;
}

export function useTheme(): ThemeChoice {
  const [isDark, setIsDark] = useState(() => {
    const asked = new URLSearchParams(location.search).get('theme') ?? localStorage.getItem(KEY);
    return asked ? asked === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  });
  useEffect(() => {
    document.documentElement.dataset['theme'] = isDark ? 'dark' : 'light';
  }, [isDark]);
  const toggle = useCallback(() => {
    setIsDark((before) => {
      localStorage.setItem(KEY, before ? 'light' : 'dark');
      return !before;
    });
  }, []);
  return { isDark, toggle };
}
