/** A chart: bars or lines over labels, with an axis of values, and its numbers in a table for screen readers. */

import { useId, type ReactElement } from 'react';
import { oneLine } from '../ui/names.ts';

export interface ChartValue {
  readonly chart: 'bar' | 'line';
  readonly labels: readonly unknown[];
  readonly series: readonly { readonly name: unknown; readonly values: readonly number[] }[];
  readonly unit?: unknown;
}

const WIDTH = 560;
const HEIGHT = 200;
/** Of the axis of values. */
const AXIS = 44;
const MOST = 200;

const SHORT = new Intl.NumberFormat(undefined, { notation: 'compact' });

/** Round values that an axis names, from the lowest to the highest. */
function marksOf(lowest: number, highest: number): readonly number[] {
  const rough = (highest - lowest) / 4 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5].find((each) => each * power >= rough) ?? 10) * power;
  const first = Math.floor(lowest / step);
  return Array.from({ length: Math.ceil(highest / step) - first + 1 }, (_, index) => (first + index) * step);
}

const shown = (text: unknown): string => (typeof text === 'string' || typeof text === 'number' ? oneLine(String(text)) : '');

export function isChart(value: unknown): value is ChartValue {
  const chart = value as Partial<ChartValue> | null;
  return (
    typeof chart === 'object' &&
    chart !== null &&
    (chart.chart === 'bar' || chart.chart === 'line') &&
    Array.isArray(chart.labels) &&
    chart.labels.length > 0 &&
    chart.labels.length <= MOST &&
    Array.isArray(chart.series) &&
    chart.series.length <= 8 &&
    chart.series.every((each) => Array.isArray(each?.values) && each.values.length <= MOST && each.values.every(Number.isFinite))
  );
}

export function Chart({ chart }: { chart: ChartValue }): ReactElement {
  const id = useId();
  const labels = chart.labels.map(shown);
  const series = chart.series.map(({ name, values }) => ({ name: shown(name), values }));
  const unit = shown(chart.unit);
  const all = series.flatMap(({ values }) => [...values]);
  const marks = marksOf(Math.min(...all, 0), Math.max(...all, 0));
  const bottom = marks[0] ?? 0;
  const top = marks.at(-1) ?? 0;
  const y = (value: number): number => HEIGHT - ((value - bottom) / (top - bottom || 1)) * HEIGHT;
  const slot = (WIDTH - AXIS) / labels.length;
  return (
    <figure className="chart">
      <svg viewBox={`0 -12 ${WIDTH} ${HEIGHT + 40}`} role="img" aria-labelledby={id}>
        <title id={id}>{series.map(({ name }) => name).join(', ')}</title>
        {marks.map((mark) => (
          <g key={mark} className={mark === 0 ? 'axis zero' : 'axis'}>
            <line x1={AXIS} x2={WIDTH} y1={y(mark)} y2={y(mark)} />
            <text x={AXIS - 8} y={y(mark) + 4} textAnchor="end">
              {SHORT.format(mark)}
            </text>
          </g>
        ))}
        {series.map(({ values }, index) =>
          chart.chart === 'bar' ? (
            <g key={index} className={`series-${index % 4}`}>
              {values.slice(0, labels.length).map((value, at) => {
                const width = (slot * 0.7) / series.length;
                const x = AXIS + at * slot + slot * 0.15 + index * width;
                return <rect key={at} x={x} width={Math.max(width - 2, 1)} y={Math.min(y(value), y(0))} height={Math.abs(y(value) - y(0))} rx={3} />;
              })}
            </g>
          ) : (
            <polyline key={index} className={`series-${index % 4}`} points={values.map((value, at) => `${AXIS + at * slot + slot / 2},${y(value)}`).join(' ')} />
          ),
        )}
        {labels.map((label, at) => (
          <text key={at} x={AXIS + at * slot + slot / 2} y={HEIGHT + 23} textAnchor="middle">
            {label}
          </text>
        ))}
      </svg>
      <figcaption className="legend">
        {series.map(({ name }, index) => (
          <span key={index} className={`series-${index % 4}`}>
            <i aria-hidden="true" /> {name} {unit && `(${unit})`}
          </span>
        ))}
      </figcaption>
      <div className="visually-hidden">
        <table>
          <tbody>
            {series.map(({ name, values }, index) => (
              <tr key={index}>
                <th scope="row">{name}</th>
                {values.map((value, at) => (
                  <td key={at}>
                    {labels[at]}: {value} {unit}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </figure>
  );
}
