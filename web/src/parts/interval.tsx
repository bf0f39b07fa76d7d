/** Interval of a mean on a scale that all rows share: a line from bound to bound, and a dot at the value. */

const WIDTH = 96;
const HEIGHT = 14;
const EDGE = 5;

/** See the file. Nothing where no number is. */
export function Interval({ value, low, high, bounds, name }: {
  value: number;
  low: number;
  high: number;
  bounds: [number, number] | undefined;
  name: string;
}) {
  if (!bounds || !Number.isFinite(value)) return <svg class="interval" width={WIDTH} height={HEIGHT} />;
  const place = (at: number) => EDGE + (at - bounds[0]) / (bounds[1] - bounds[0]) * (WIDTH - 2 * EDGE);
  return (
    <svg class="interval" width={WIDTH} height={HEIGHT} role="img" aria-label={name}>
      {Number.isFinite(low) && Number.isFinite(high) && (
        <line x1={place(low)} x2={place(high)} y1={HEIGHT / 2} y2={HEIGHT / 2} />
      )}
      <circle cx={place(value)} cy={HEIGHT / 2} r={3} />
    </svg>
  );
}
