import { useEffect, useState } from 'react';

/** An instant in the reader's own time zone; the exact one is in its title. */
export function Moment({ at }: { at: string }) {
  const date = new Date(at);
  const sameDay = date.toDateString() === new Date().toDateString();
  const text = date.toLocaleString(undefined, sameDay ? { hour: '2-digit', minute: '2-digit' } : { dateStyle: 'medium', timeStyle: 'short' });
  return (
    <time dateTime={at} title={at}>
      {text}
    </time>
  );
}

/** How long there is still, and until when. */
export function Deadline({ at }: { at: string }) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const left = Date.parse(at) - now;
  return (
    <span className={left < 300_000 ? 'deadline soon' : 'deadline'}>
      {left <= 0 ? 'time is over' : `${inWords(left)} left`}{' '}
      <span className="quiet">
        (until <Moment at={at} />)
      </span>
    </span>
  );
}

function inWords(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}
