// SPDX-License-Identifier: BSD-2-Clause
// impatient.js load|exchange: two threads take turns at memory that they share; who waits looks at it all the time.
const { Worker, isMainThread, workerData } = require('worker_threads');
const how = process.argv[2];

function keepBooks() {
  let sum = 0;
  for (let i = 0; i < 3e6; i++) sum = (sum * 31 + i) | 0;
  return sum;
}

function awaitTurn(turn, mine) {
  if (how === 'load')
    while (Atomics.load(turn, 0) !== mine);
  else
    while (Atomics.compareExchange(turn, 0, mine, mine) !== mine);
}

const shared = isMainThread ? new SharedArrayBuffer(4) : workerData;
const turn = new Int32Array(shared), mine = isMainThread ? 0 : 1;
if (isMainThread) {
  process.title = 'bookkeeper';
  new Worker(__filename, { workerData: shared, argv: [how] });
}
for (let sum = 0;;) {
  awaitTurn(turn, mine);
  if (isMainThread) sum += keepBooks();
  Atomics.store(turn, 0, 1 - mine);
}
