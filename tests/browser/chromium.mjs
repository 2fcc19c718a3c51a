// SPDX-License-Identifier: BSD-2-Clause
// Drives a headless Chromium over its DevTools pipe: JSON with a NUL behind each message, on
// descriptors 3 and 4. No package is needed.
import {spawn} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

export class Chromium {
	constructor(command = process.env.CHROMIUM || 'chromium') {
		this.folder = mkdtempSync(join(tmpdir(), 'chromium-'));
		this.child = spawn(command,
			[
				'--headless=new',
				'--no-sandbox',
				'--disable-gpu',
				'--disable-dev-shm-usage',
				'--no-first-run',
				'--remote-debugging-pipe',
				'--hide-scrollbars',
				'--user-data-dir=' + this.folder,
				'about:blank',
			],
			{stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe']});
		this.ended = new Promise((resolve) => this.child.on('close', resolve));
		this.child.on('error', (error) => this.fail(error));
		this.child.on(
			'close', (code) => this.fail(new Error('the browser ended with ' + code)));
		this.calls = new Map();
		this.waiting = [];
		this.errors = []; // exceptions in the page
		this.next = 1;
		let rest = Buffer.alloc(0);
		this.child.stdio[3].on('error', (error) => this.fail(error));
		this.child.stdio[4].on('data', (data) => {
			rest = Buffer.concat([rest, data]);
			for (let end; (end = rest.indexOf(0)) >= 0; rest = rest.subarray(end + 1))
				this.receive(JSON.parse(rest.subarray(0, end).toString()));
		});
	}

	fail(error) {
		for (const {reject} of this.calls.values())
			reject(error);
		this.calls.clear();
	}

	receive(message) {
		const call = this.calls.get(message.id);
		this.calls.delete(message.id);
		if (call)
			message.error ? call.reject(new Error(message.error.message))
				      : call.resolve(message.result);
		if (message.method === 'Runtime.exceptionThrown')
			this.errors.push(message.params.exceptionDetails.exception?.description ||
					 message.params.exceptionDetails.text);
		this.waiting = this.waiting.filter(
			(w) => w.method !== message.method || w.resolve(message.params));
	}

	send(method, params = {}, sessionId = this.session) {
		return new Promise((resolve, reject) => {
			const id = this.next++;
			this.calls.set(id, {resolve, reject});
			this.child.stdio[3].write(
				JSON.stringify({id, method, params, sessionId}) + '\0');
		});
	}

	event(method) {
		return new Promise((resolve) => this.waiting.push({method, resolve}));
	}

	// One tab, with scripts and page events on.
	async open() {
		const {targetInfos} = await this.send('Target.getTargets');
		const {targetId} = targetInfos.find((target) => target.type === 'page');
		this.session = (await this.send('Target.attachToTarget', {targetId, flatten: true}))
				       .sessionId;
		await this.send('Page.enable');
		await this.send('Runtime.enable');
	}

	async go(url) {
		const loaded = this.event('Page.loadEventFired');
		await this.send('Page.navigate', {url});
		await loaded;
	}

	async reload() {
		const loaded = this.event('Page.loadEventFired');
		await this.send('Page.reload');
		await loaded;
	}

	// The window's size in px, and which colours the reader prefers.
	async look(width, height, scheme = 'light') {
		await this.send('Emulation.setDeviceMetricsOverride',
			{width, height, deviceScaleFactor: 1, mobile: false});
		await this.send('Emulation.setEmulatedMedia',
			{features: [{name: 'prefers-color-scheme', value: scheme}]});
		await this.run(
			'new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
	}

	async run(expression) {
		const {result, exceptionDetails} = await this.send(
			'Runtime.evaluate', {expression, awaitPromise: true, returnByValue: true});
		if (exceptionDetails)
			throw new Error(
				exceptionDetails.exception?.description || exceptionDetails.text);
		return result.value;
	}

	async move(x, y) {
		await this.send('Input.dispatchMouseEvent', {type: 'mouseMoved', x, y});
	}

	async click(x, y) {
		await this.move(x, y);
		for (const type of ['mousePressed', 'mouseReleased'])
			await this.send('Input.dispatchMouseEvent',
				{type, x, y, button: 'left', clickCount: 1});
	}

	// A key as a person presses it; `text` is what it types.
	async press(key, {text = key.length === 1 ? key : undefined, ctrl = false} = {}) {
		const codes = {
			Enter: 13,
			Escape: 27,
			Backspace: 8,
			Tab: 9,
			ArrowLeft: 37,
			ArrowUp: 38,
			ArrowRight: 39,
			ArrowDown: 40
		};
		const params = {key, windowsVirtualKeyCode: codes[key], modifiers: ctrl ? 2 : 0};
		await this.send('Input.dispatchKeyEvent', {
			...params,
			type: text && !ctrl ? 'keyDown' : 'rawKeyDown',
			text: ctrl ? undefined : text
		});
		await this.send('Input.dispatchKeyEvent', {...params, type: 'keyUp'});
	}

	async type(text) {
		for (const key of text)
			await this.press(key);
	}

	async shoot(file) {
		const {data} = await this.send('Page.captureScreenshot', {format: 'png'});
		writeFileSync(file, Buffer.from(data, 'base64'));
	}

	async close() {
		await Promise.race([
			this.send('Browser.close', {}, undefined).catch(() => {}),
			new Promise((r) => setTimeout(r, 3000))
		]);
		this.child.kill('SIGKILL');
		await this.ended;
		await this.#forget();
	}

	/* Processes that it has started write a moment longer than it lives. */
	async #forget() {
		for (let tries = 30; ; tries--) {
			try {
				rmSync(this.folder, {recursive: true, force: true});
				return;
			} catch (error) {
				if (!tries)
					throw error;
			}
			await new Promise((r) => setTimeout(r, 100));
		}
	}
}
