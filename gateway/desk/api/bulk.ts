/**
 * Do something with each of a stream, some at once, and give what comes of them in the order of the stream. What is
 * in hand is bounded by `inHandMax`; nothing more is read while a reader of the answers is slow, and an answer that
 * is there does not wait for the next of the stream. Where the stream fails, what is in hand is given first.
 *
 * @throws what the stream throws
 * @param work does not reject: what went wrong is a result too
 */
export async function* inOrder<T, R>(
  source: AsyncIterable<T>,
  inHandMax: number,
  work: (value: T) => Promise<R>,
): AsyncGenerator<R> {
  const iterator = source[Symbol.asyncIterator]();
  const inHand: Promise<R>[] = [];
  let next: Promise<IteratorResult<T>> | undefined = iterator.next();
  // It may end while nobody waits for it.
  next.catch(() => undefined);
  try {
    for (;;) {
      const first = inHand[0];
      if (first === undefined && next === undefined) return;
      if (
        first !== undefined &&
        (next === undefined || inHand.length >= inHandMax || !(await isSooner(next, first)))
      ) {
        inHand.shift();
        yield await first;
        continue;
      }
      const result = await next!.catch((error: unknown) => ({ error }));
      if ('error' in result) {
        for (const given of inHand) yield await given;
        throw result.error;
      }
      if (result.done === true) next = undefined;
      else {
        inHand.push(work(result.value));
        next = iterator.next();
        next.catch(() => undefined);
      }
    }
  } finally {
    await iterator.return?.();
  }
}

const isSooner = (one: Promise<unknown>, other: Promise<unknown>): Promise<boolean> => {
  const itIs = (): boolean => true;
  return Promise.race([one.then(itIs, itIs), other.then(() => false)]);
};
