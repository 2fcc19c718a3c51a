#!/usr/bin/env node
// SPDX-License-Identifier: BSD-2-Clause
// flamegraph.mjs PERFSCOPE [FOLDER]: draws flame graphs and uses them in a headless Chromium as
// people do, by mouse, keyboard and link. Leaves pictures of what it saw in FOLDER.
import {execFileSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Chromium} from './chromium.mjs';

const [perfscope, pictures] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'flamegraph-'));
let passed = 0, failed = 0;

function check(what, got, want = true) {
	if (JSON.stringify(got) === JSON.stringify(want)) {
		passed++;
		return;
	}
	failed++;
	console.error(
		`not so: ${what}\n  got:  ${JSON.stringify(got)}\n  want: ${JSON.stringify(want)}`);
}
const near = (a, b, by = 1) => Math.abs(a - b) <= by;

function draw(name, folded, ...options) {
	const file = join(folder, name);
	execFileSync(perfscope, ['flamegraph', '--folded', '-o', file, '-q', ...options],
		{input: folded});
	return 'file://' + file;
}

const browser = new Chromium();

// Runs in the page: a frame by its path of names, with where it is on the screen.
async function frame(...names) {
	return browser.run(`(() => {
		const path = (n) => n.parent ? [...path(n.parent), n.name] : [];
		const want = ${JSON.stringify(JSON.stringify(names))};
		const g = [...document.querySelectorAll('.f > g')].find((g) => JSON.stringify(path(g.node)) === want);
		const box = g.querySelector('rect').getBoundingClientRect();
		return {x: box.x, y: box.y, width: box.width, height: box.height, shown: g.style.display !== 'none',
			text: g.querySelector('text')?.textContent || '', hit: g.classList.contains('hit'),
			above: g.classList.contains('above'), focused: document.activeElement === g};
	})()`);
}
const clickFrame = async (...names) => {
	const f = await frame(...names);
	await browser.click(f.x + f.width / 2, f.y + f.height / 2);
};
const clickButton = async (label) => {
	const box = await browser.run(`(() => {
		const b = [...document.querySelectorAll('button')].find((b) => b.textContent === ${
		JSON.stringify(label)}).getBoundingClientRect();
		return {x: b.x + b.width / 2, y: b.y + b.height / 2};
	})()`);
	await browser.click(box.x, box.y);
};
const hash = () => browser.run('location.hash');
const matched = () => browser.run(`document.querySelector('output').textContent`);
const crumbs = () => browser.run(`(() => {
	const path = document.querySelector('.path');
	return getComputedStyle(path).visibility === 'hidden' ? '' : path.textContent;
})()`);
const tip = () => browser.run(
	`document.querySelector('.tip').style.display === 'none' ? '' : document.querySelector('.tip').textContent`);
const focused = () => browser.run(
	`document.activeElement.node ? document.activeElement.node.name : document.activeElement.localName`);
const shoot = (name) => pictures && browser.shoot(join(pictures, name + '.png'));

const EVIL = `</title><script>window.pwned=1</script><img src=x onerror=window.pwned=1>`;
const LONG = 'std::vector<Order>::push_back(Order&&)';
const STACKS = `main;a;x 10
main;a;y 20
main;b;x;x 30
main;b 15
other;x_[k] 12
other;${LONG}_[j] 8
${EVIL} 5
`;

async function opens(url) {
	await browser.look(1200, 600);
	await browser.go(url);
	check('all frames are drawn',
		await browser.run(`document.querySelectorAll('.f > g').length`), 12);
	check('names do not run', await browser.run('typeof window.pwned'), 'undefined');
	check('a hostile name is shown as it is', (await frame(EVIL)).text.startsWith('</'));
	const all = await frame(), main = await frame('main'), other = await frame('other');
	check('the root fills the window', near(all.x, 10) && near(all.width, 1180));
	check('widths are shares', near(main.width, 1180 * 0.75) && near(other.width, 1180 * 0.2));
	check('callees stand on their callers',
		main.y < all.y && (await frame('main', 'b')).y < main.y);
	check('it has a name for those who do not see it',
		await browser.run(`document.documentElement.getAttribute('aria-label')`),
		'A test & <more>');
	await shoot('open');
}

async function zoomsAndSearches() {
	await clickFrame('main', 'b');
	check('a click zooms', near((await frame('main', 'b')).width, 1180));
	check('callers stay, dimmed',
		(({above, width}) => above && near(width, 1180))(await frame('main')));
	check('others make room', [(await frame('main', 'a')).shown, (await frame('other')).shown],
		[false, false]);
	check('the path is told', await crumbs(), 'all \u203a main \u203a b');
	check('the address has the zoom', await hash(), '#zoom=main;b');
	await browser.press('/');
	await browser.type('^x$');
	check('what matches in the view counts once', await matched(),
		'Matched 66.67 % of the view in 2 frames');
	await shoot('zoom-search');
	await clickButton('Reset zoom');
	check('and in the whole', await matched(), 'Matched 52.00 % in 4 frames');
	check('matches are marked, others not',
		[
			(await frame('other', 'x')).hit, (await frame('main', 'a', 'x')).hit,
			(await frame('main')).hit
		],
		[true, true, false]);
	check('the path is gone', await crumbs(), '');
	await browser.run('history.back()');
	await browser.run('new Promise((done) => setTimeout(done, 100))');
	check('the way back zooms again', await crumbs(), 'all \u203a main \u203a b');
	await browser.reload();
	check('a reload keeps zoom and search', [await crumbs(), await matched()],
		['all \u203a main \u203a b', 'Matched 66.67 % of the view in 2 frames']);
}

async function linksWork(url) {
	await browser.go('about:blank');
	await browser.go(url + '#zoom=main;a&search=' + encodeURIComponent('^Y$|y') + '&icicle=1');
	check('a link zooms', near((await frame('main', 'a')).width, 1180));
	check('a link searches', await matched(), 'Matched 66.67 % of the view in 1 frame');
	check('a link turns', (await frame()).y < (await frame('main')).y);
	await browser.go('about:blank');
	await browser.go(url + '#zoom=' + [EVIL].map(encodeURIComponent));
	check('a link to a hostile name', near((await frame(EVIL)).width, 1180));
	check('still nothing runs', await browser.run('typeof window.pwned'), 'undefined');
	await browser.go('about:blank');
	await browser.go(url + '#zoom=main;nowhere;x&search=(&side=before&%%%=%E0%A4%A');
	check('a stale link goes as far as it can', await crumbs(), 'all \u203a main');
	check('a bad expression is told', await matched(), 'Not a regular expression');
}

async function keyboardWorks(url) {
	await browser.go('about:blank');
	await browser.go(url);
	await browser.press('Tab');
	for (let i = 0; i < 8 && await focused() !== 'all'; i++)
		await browser.press('Tab');
	check('Tab reaches the root', await focused(), 'all');
	const seen = [];
	for (const key of ['ArrowUp', 'ArrowUp', 'ArrowLeft', 'ArrowUp', 'ArrowDown', 'ArrowDown',
		     'ArrowRight']) {
		await browser.press(key);
		seen.push(await focused());
	}
	check('arrows go from frame to frame', seen, ['main', 'b', 'a', 'y', 'a', 'main', 'other']);
	check('the focused frame is described',
		(await tip()).startsWith('other20 samples \u00b7 20.00 % of all'));
	check('and labelled',
		await browser.run(`document.activeElement.getAttribute('aria-label')`),
		'other, 20 samples \u00b7 20.00 % of all \u00b7 user, 20.00 % of all, self 0.00 %');
	await shoot('focus');
	await browser.press('Enter', {text: '\r'});
	check('Enter zooms', await crumbs(), 'all \u203a other');
	await browser.press('Escape');
	check('Escape goes out', await crumbs(), '');
	await browser.press('f', {ctrl: true});
	check('Ctrl-F goes to the search', await focused(), 'input');
	await browser.type('^y');
	await browser.press('Enter', {text: '\r'});
	check('Enter goes to the match', await focused(), 'y');
	await browser.press('/');
	await browser.type('^x$');
	await browser.press('Escape');
	const hits = [];
	for (let i = 0; i < 4; i++) {
		await browser.press('n');
		hits.push((await browser.run(`document.activeElement.node.parent.name`)));
	}
	check('n goes round the matches', [...hits].sort(), ['a', 'b', 'other', 'x']);
	await browser.press('ArrowDown');
	await browser.press('Enter', {text: '\r'});
	await browser.press('Backspace');
	await browser.press('r');
	check('r shows everything', near((await frame('main')).width, 885));
	await browser.press('i');
	check('i turns it upside down',
		[(await frame()).y < (await frame('main')).y, (await hash()).includes('icicle=1')],
		[true, true]);
	await shoot('icicle');
}

async function fitsWindows(url) {
	await browser.go('about:blank');
	await browser.go(url);
	for (const width of [1000, 4000]) {
		await browser.look(width, 700);
		const all = await frame(), long = await frame('other', LONG);
		check(`fills ${width} px`, near(all.width, width - 20));
		check(`names fit at ${width} px`,
			width === 4000 ? long.text === LONG
				       : long.text.endsWith('\u2026') &&
						 LONG.startsWith(long.text.slice(0, -1)));
		const inside = await browser.run(
			`[...document.querySelectorAll('.f text')].every((t) => t.style.display === 'none' ||
			t.getBoundingClientRect().right <= t.parentNode.querySelector('rect').getBoundingClientRect().right + 1)`);
		check(`no name sticks out at ${width} px`, inside);
		await shoot('width-' + width);
	}
	await browser.look(1200, 600);
	const other = await frame('other');
	await browser.move(other.x + 5, other.y + 5);
	check('the tooltip has samples and shares',
		(await tip())
			.startsWith(
				'other20 samples \u00b7 20.00 % of all \u00b7 user\n20.00 % of all'));
	await browser.move(600, 90);
	check('and goes away', await tip(), '');
	const ground = () => browser.run(`getComputedStyle(document.querySelector('.paper')).fill`);
	const light = await ground();
	await browser.look(1200, 600, 'dark');
	check('dark is dark', [light, await ground()], ['rgb(253, 253, 252)', 'rgb(23, 23, 26)']);
	await shoot('dark');
	await browser.look(1200, 600);
}

// With the longest of names and answers.
async function headFits() {
	const names = [...Array(9).keys()].map((i) => LONG.repeat(6) + i);
	const url = draw('long.svg', names.join(';') + ' 5\n');
	for (const width of [560, 1000]) {
		await browser.look(width, 500);
		await browser.go('about:blank');
		await browser.go(url + '#search=std&zoom=' + names.map(encodeURIComponent).join(';'));
		const [last, here] = await browser.run(`(() => {
			const box = (e) => e.getBoundingClientRect();
			return [box([...document.querySelectorAll('.bar button')].at(-1)).right, box(document.querySelector('.path b'))]
				.map((b) => b.right ? {left: b.left, right: b.right} : b);
		})()`);
		check(`all buttons are there at ${width} px`, last <= width);
		check(`where one is can be seen at ${width} px`, here.left < here.right - 50 && here.right <= width);
		await shoot('head-' + width);
	}
	await browser.look(1200, 600);
}

async function compares() {
	const base = join(folder, 'base.folded');
	execFileSync(
		'sh', ['-c', 'cat >"$1"', 'sh', base], {input: 'm;a 10\nm;b 20\nm;gone;deep 10\n'});
	await browser.go(draw('diff.svg', 'm;a 30\nm;b 10\nm;new 40\n', '--diff', base));
	const title = await browser.run(`document.querySelector('.title').textContent`);
	check('the title says what is compared', title, 'standard input compared with base.folded');
	const colour = (name) => browser.run(`(() => {
		const g = [...document.querySelectorAll('.f > g')].find((g) => g.node.name === '${
		name}');
		const [r, , b] = getComputedStyle(g.querySelector('rect')).fill.match(/\\d+/g).map(Number);
		return r > b + 20 ? 'red' : b > r + 20 ? 'blue' : 'grey';
	})()`);
	check('growth is red, shrinking blue',
		[await colour('new'), await colour('a'), await colour('b'), await colour('m')],
		['red', 'red', 'blue', 'grey']);
	const b = await frame('m', 'b');
	await browser.move(b.x + 5, b.y + 5);
	const text = await tip();
	check('the tooltip has both amounts',
		text.includes('before 50.00 % (20 samples), after 12.50 % (10 samples)'));
	check('and the change', text.includes('change \u221237.50 points, \u00d7 0.25'));
	const m = await frame('m');
	await browser.move(m.x + 5, m.y + 5);
	check('what is gone is told at its caller',
		(await tip()).includes('gone below: gone \u221225.00 points'));
	await shoot('diff');
	check('and not drawn', (await frame('m', 'gone')).shown, false);
	await clickButton('Before');
	check('but before it was there', near((await frame('m', 'gone', 'deep')).width, 1180 / 4));
	check('with the widths of then', near((await frame('m', 'b')).width, 1180 / 2));
	await shoot('diff-before');
}

// As many frames as one picture holds.
async function isQuick() {
	let stacks = '';
	for (let i = 0; i < 11000; i++)
		stacks += `main;s${i % 10};t${i % 100};u${i % 1000};v${i};w 1\n`;
	const start = Date.now();
	await browser.go(draw('large.svg', stacks));
	const opened = Date.now();
	await clickFrame('main', 's3');
	await browser.run(
		'new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
	const zoomed = Date.now();
	const count = await browser.run(`document.querySelectorAll('.f > g').length`);
	check('the large one is there', count, 2 + 10 + 100 + 1000 + 11000 + 11000);
	check('and zooms', await crumbs(), 'all \u203a main \u203a s3');
	console.log(`${count} frames: ${opened - start} ms to draw and open, ${
		zoomed - opened} ms to zoom`);
}

async function main() {
	if (pictures)
		mkdirSync(pictures, {recursive: true});
	await browser.open();
	const url = draw('plain.svg', STACKS, '--title', 'A test & <more>');
	await opens(url);
	await zoomsAndSearches();
	await linksWork(url);
	await keyboardWorks(url);
	await fitsWindows(url);
	await headFits();
	await compares();
	await isQuick();
	check('no script failed', browser.errors, []);
}

try {
	await main();
} catch (error) {
	failed++;
	console.error(error);
} finally {
	await browser.close();
	rmSync(folder, {recursive: true, force: true});
}
console.log(`flamegraph-browser: ${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
