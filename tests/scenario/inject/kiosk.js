// SPDX-License-Identifier: BSD-2-Clause
// kiosk.js compute|collect|none LONG EVERY-MS: a server whose loop is held up by a callback of LONG milliseconds, or by collecting
// garbage among LONG objects that are kept.
const net = require('net');
const { fork } = require('child_process');
const [how, long, every] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];

if (how === 'customer') {
  process.title = 'customer';
  process.on('disconnect', () => process.exit());
  const s = net.connect(long);
  s.on('connect', () => s.write('?'));
  s.on('data', () => setTimeout(() => s.write('?'), 2));
} else {
  process.title = 'kiosk';
  const server = net.createServer(s => { s.on('data', () => s.write('!')); s.on('error', () => {}); });
  server.listen(0, '127.0.0.1', () => { for (let i = 0; i < 2; i++) fork(__filename, ['customer', server.address().port, 0]); });
  const kept = [];
  function printTickets() {
    const end = Date.now() + long;
    let sum = 0;
    while (Date.now() < end)
      for (let i = 0; i < 10000; i++) sum += i * i;
    return sum;
  }
  function tidy() {
    for (let i = 0; i < 1000; i++) kept[(Math.random() * long) | 0] = { i, text: [i, i + 1] };
    gc();
  }
  if (how === 'collect') for (let i = 0; i < long; i++) kept.push({ i, text: [i, i + 1] });
  if (how !== 'none') setInterval(how === 'compute' ? printTickets : tidy, every);
}
