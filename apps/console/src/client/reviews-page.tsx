import type { Finding, ReviewView } from '@countersign/contracts';
import { useCallback, useEffect, useState } from 'react';
import { call } from './api.js';
import { Moment } from './moments.js';

/** Approvals by break-glass that somebody has to look at. */
export function ReviewsPage() {
  const [reviews, setReviews] = useState<ReviewView[] | null>(null);
  const [notice, setNotice] = useState<{ kind: 'done' | 'refused'; text: string } | null>(null);

  const load = useCallback(async () => setReviews((await call<{ data: ReviewView[] }>('GET', '/v1/reviews?state=all')).data), []);
  useEffect(() => {
    load().catch((error: unknown) => setNotice({ kind: 'refused', text: (error as Error).message }));
  }, [load]);
  const send = async (id: string, finding: Finding, note: string) => {
    try {
      await call('POST', `/v1/reviews/${id}`, { finding, note });
      await load();
      setNotice({ kind: 'done', text: 'Your review is recorded.' });
    } catch (error) {
      setNotice({ kind: 'refused', text: (error as Error).message });
    }
  };

  return (
    <>
      <h1>Reviews</h1>
      <p>Somebody broke the glass: a request passed without the usual people. Look at it, and say whether that was justified.</p>
      {notice === null ? null : (
        <p className={`notice ${notice.kind}`} role={notice.kind === 'done' ? 'status' : 'alert'}>
          {notice.text}
        </p>
      )}
      {reviews !== null && reviews.length === 0 ? <p className="quiet">Nothing to review.</p> : null}
      {(reviews ?? []).map((review) => (
        <Review key={review.id} review={review} onSend={send} />
      ))}
    </>
  );
}

function Review({ review, onSend }: { review: ReviewView; onSend: (id: string, finding: Finding, note: string) => Promise<void> }) {
  const [note, setNote] = useState('');
  return (
    <section className="panel review">
      <p>
        <a href={`/requests/${review.action_request}`}>The request</a>, approved <Moment at={review.opened_at} />, to be reviewed by {review.groups.join(', ')}{' '}
        until <Moment at={review.due_at} />.
      </p>
      {review.finding === null ? (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            const { submitter } = event.nativeEvent;
            void onSend(review.id, submitter?.getAttribute('value') === 'unjustified' ? 'unjustified' : 'justified', note);
          }}
        >
          <label>
            What you found
            <textarea rows={2} maxLength={2000} required value={note} onChange={(event) => setNote(event.target.value)} />
          </label>
          <button type="submit" value="justified">
            Justified
          </button>{' '}
          <button type="submit" value="unjustified">
            Not justified
          </button>
        </form>
      ) : (
        <p>
          <strong>{review.reviewed_by?.name}</strong> found it {review.finding}: {review.note}
        </p>
      )}
    </section>
  );
}
