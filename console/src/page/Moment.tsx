import { formatFullTime, formatTime } from '../jobs/job';

/** A time of day, with its date where that is not today; all of it when it is pointed at. */
export function Moment({ iso, now }: { iso: string; now: Date }) {
  return (
    <time dateTime={iso} title={formatFullTime(iso)}>
      {formatTime(iso, now)}
    </time>
  );
}
