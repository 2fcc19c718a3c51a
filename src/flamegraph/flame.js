// SPDX-License-Identifier: BSD-2-Clause
// What makes the picture interactive. The file's own elements are the data: each frame is a <g>
// with its depth (data-d), value (data-v), value before (data-b, in comparisons), own part where
// callees are missing (data-s), and its name as the title's first line.
// The address's #fragment is the state, so that a link, a reload and the way back all work.
(() => {
	'use strict';
	const SVG = 'http://www.w3.org/2000/svg', HTML = 'http://www.w3.org/1999/xhtml';
	const svg = document.currentScript.ownerSVGElement || document.documentElement;
	const frames = svg.querySelector('.f'), head = svg.querySelector('.head');
	const measure = (name) => Number(svg.dataset[name]);
	const ROW = measure('row'), TOP = measure('top'), BOTTOM = measure('bottom'),
	      MARGIN = measure('margin');
	const diff = measure('baseTotal') > 0;
	const scales = svg.dataset.scales.split('|').map((text) => {
		const gap = text.indexOf(' ');
		return {factor: Number(text.slice(0, gap)), suffix: text.slice(gap + 1)};
	});
	const kinds = {u: 'user', k: 'kernel', j: 'JIT', i: 'inlined', t: 'process', x: 'unknown'};

	// The tree, in preorder. `after` and `before` are a node's two sizes, each with its place.
	const nodes = [];
	let deepest = 0;

	function readFrame(g, open) {
		const title = g.querySelector('title').textContent, end = title.indexOf('\n');
		const data = g.dataset, depth = Number(data.d);
		const parent = depth ? open[depth - 1] : null;
		const n = {
			g,
			depth,
			parent,
			name: title.slice(0, end),
			children: [],
			index: nodes.length,
			end: nodes.length + 1,
			hit: false,
			shown: data.v !== '0',
			rect: g.querySelector('rect'),
			text: g.querySelector('text'),
			kind: kinds[g.getAttribute('class')[0]],
			after: {value: Number(data.v), left: 0, next: 0},
			before: {value: Number(data.b || 0), left: 0, next: 0},
			own: data.s === undefined ? null : Number(data.s),
		};
		for (const side of ['after', 'before']) {
			if (parent) {
				n[side].left = parent[side].next;
				parent[side].next += n[side].value;
			}
			n[side].next = n[side].left;
		}
		if (parent)
			parent.children.push(n);
		open[depth] = n;
		open.length = depth + 1;
		deepest = Math.max(deepest, depth);
		g.removeChild(g.querySelector('title')); // the tooltip below says more
		g.node = n;
		nodes.push(n);
	}

	function findEnds() {
		for (const n of [...nodes].reverse())
			if (n.parent)
				n.parent.end = Math.max(n.parent.end, n.end);
	}

	const state = {zoom: null, search: '', icicle: false, side: 'after'};
	const size = (n) => n[state.side].value;
	const inside = (n, top) => n.index >= top.index && n.index < top.end;

	// Numbers as people read them.
	function amount(value) {
		const scale = scales.find((s) => value >= s.factor) || scales[scales.length - 1];
		if (!scale.factor)
			return value.toLocaleString('en-US', {maximumFractionDigits: 2}) + ' ' +
			       scale.suffix;
		const scaled = value / scale.factor;
		const digits = Number.isInteger(scaled) ? 0 : scaled < 10 ? 2 : 1;
		return scaled.toFixed(digits) + ' ' + scale.suffix;
	}
	const percent = (part, whole) =>
		(whole > 0 ? (part / whole * 100).toFixed(2) : '0.00') + ' %';
	const points = (n) => {
		const root = nodes[0].after.value;
		const delta = (n.after.value - n.before.value) / root * 100;
		return (delta < 0 ? '\u2212' : '+') + Math.abs(delta).toFixed(2) + ' points';
	};

	function describe(n) {
		const root = nodes[0], lines = [];
		lines.push(amount(n.after.value) + ' \u00b7 ' +
			   percent(n.after.value, root.after.value) + ' of all' +
			   (diff ? ' after' : ' \u00b7 ' + n.kind));
		if (n.parent)
			lines.push(percent(size(n), size(n.parent)) + ' of ' + n.parent.name);
		if (state.zoom !== root && n !== state.zoom && n.parent !== state.zoom &&
			inside(n, state.zoom))
			lines.push(percent(size(n), size(state.zoom)) + ' of the view, ' +
				   state.zoom.name);
		const callees = n.children.reduce((sum, c) => sum + c.after.value, 0);
		const own = n.own === null ? n.after.value - callees : n.own;
		lines.push('self ' + percent(own, root.after.value) +
			   (own > 0 ? ' \u00b7 ' + amount(own) : ''));
		return diff ? lines.concat(describeChange(n)) : lines;
	}

	// What was there before is told in its own total's terms, not as it is scaled for comparing.
	function describeChange(n) {
		const root = nodes[0], before = n.before.value, after = n.after.value;
		const scale = measure('baseTotal') / root.before.value;
		const ratio = !before ? 'new' : !after ? 'gone' : '\u00d7 ' + (after / before).toFixed(2);
		const lines = [
			'before ' + percent(before, root.before.value) + ' (' + amount(before * scale) +
				'), after ' + percent(after, root.after.value) + ' (' + amount(after) + ')',
			'change ' + points(n) + ', ' + ratio,
		];
		const gone = n.children.filter((c) => !c.after.value)
				     .sort((a, b) => b.before.value - a.before.value);
		for (const c of gone.slice(0, 3))
			lines.push('gone below: ' + c.name + ' ' + points(c));
		if (gone.length > 3)
			lines.push('and ' + (gone.length - 3) + ' more, see Before');
		return lines;
	}

	// Drawing.
	const height = Number(svg.getAttribute('height'));
	let plot = 0, cell = 7.25;
	const cells = (c) => c.codePointAt(0) >= 0x1100 ? 2 : 1;

	function fit(name, room) {
		let used = 0, fits = '';
		if (name.length <= room && /^[\x20-\x7e]*$/.test(name))
			return name;
		for (const c of name) {
			used += cells(c);
			if (used > room)
				return fits + '\u2026';
			if (used < room)
				fits += c;
			else if (fits + c === name)
				return name;
		}
		return used <= room ? name : fits + '\u2026';
	}

	function place(n, x, width) {
		const y = TOP + (state.icicle ? n.depth : deepest - n.depth) * ROW;
		const room = width > 24 ? Math.floor((width - 6) / cell) : 0;
		n.rect.setAttribute('x', x);
		n.rect.setAttribute('y', y);
		n.rect.setAttribute('width', width > 3 ? width - 0.7 : width);
		if (room && !n.text) {
			n.text = document.createElementNS(SVG, 'text');
			n.text.setAttribute('dx', 3);
			n.g.append(n.text);
		}
		if (!n.text)
			return;
		n.text.style.display = room ? '' : 'none';
		if (!room)
			return;
		n.text.setAttribute('x', x);
		n.text.setAttribute('y', y + 13);
		n.text.textContent = fit(n.name, room);
	}

	function drawFrame(n, unit) {
		const zoom = state.zoom, below = n.depth >= zoom.depth;
		const visible = below ? inside(n, zoom) : inside(zoom, n);
		const width = below ? size(n) * unit : plot;
		const shown = visible && width >= 0.1;
		if (shown !== n.shown)
			n.g.style.display = shown ? '' : 'none';
		n.shown = shown;
		n.width = width;
		if (!shown)
			return;
		n.g.classList.toggle('above', !below);
		n.g.classList.toggle('hit', n.hit);
		place(n, MARGIN + (below ? (n[state.side].left - zoom[state.side].left) * unit : 0),
			width);
	}

	function draw() {
		const width = Math.max(svg.getBoundingClientRect().width, 200);
		plot = width - 2 * MARGIN;
		// Tooltips want room below a low picture, too.
		const least = svg === document.documentElement ? window.innerHeight : 0;
		svg.setAttribute('height', Math.max(height, least));
		const unit = size(state.zoom) > 0 ? plot / size(state.zoom) : 0;
		for (const n of nodes)
			drawFrame(n, unit);
		layOutHead(width);
	}

	// The head: buttons and search, the path to the zoomed frame.
	function element(name, properties, ...children) {
		const e = document.createElementNS(HTML, name);
		Object.assign(e, properties);
		e.append(...children);
		return e;
	}
	function foreign(className, content) {
		const e = document.createElementNS(SVG, 'foreignObject');
		e.setAttribute('class', className);
		e.append(content);
		return e;
	}
	const button = (text, title, onclick) =>
		element('button', {type: 'button', title, onclick}, text);

	const matched = element('output', {});
	const input = element('input', {type: 'search', placeholder: 'Search (regex)'});
	input.setAttribute('aria-label', 'Search frames by regular expression');
	matched.setAttribute('aria-live', 'polite');
	const sideButton = button('Before', 'Show the widths before the change (b)',
		() => go({side: state.side === 'after' ? 'before' : 'after'}));
	const resetButton = button('Reset zoom', 'Show everything (r)', () => go({zoom: nodes[0]}));
	const flipButton =
		button('Icicle', 'Turn upside down (i)', () => go({icicle: !state.icicle}));
	const bar = foreign('tools',
		element('div', {className: 'bar'}, matched, input, resetButton, flipButton));
	if (diff)
		bar.firstChild.append(sideButton);
	const pathBox = element('div', {className: 'path'});
	pathBox.setAttribute('role', 'navigation');
	pathBox.setAttribute('aria-label', 'Path to the zoomed frame');
	const path = foreign('crumbs', pathBox);
	const tipBox = element('div', {});
	const tip = foreign('tip', tipBox);

	function layOutHead(width) {
		const tools = Math.min(Math.max(width * 0.75, 560), width);
		bar.setAttribute('x', width - tools);
		bar.setAttribute('width', tools);
		bar.setAttribute('y', 0);
		bar.setAttribute('height', 40);
		path.setAttribute('x', 7);
		path.setAttribute('y', 75);
		path.setAttribute('width', width - 14);
		path.setAttribute('height', 22);
		bar.firstChild.style.marginLeft = 'auto';
		bar.firstChild.style.width = 'fit-content';
	}

	const pathButton = (n) => button(n.name, 'Zoom to ' + n.name, () => go({zoom: n}));

	function showPath() {
		const up = [];
		for (let n = state.zoom.parent; n; n = n.parent)
			up.unshift(n);
		const short = up.length > 7 ? up.slice(0, 2).concat(null, up.slice(-4)) : up;
		pathBox.replaceChildren();
		for (const n of short)
			pathBox.append(n ? pathButton(n) : ' \u2026 ', ' \u203a ');
		pathBox.append(element('b', {title: state.zoom.name}, state.zoom.name));
		pathBox.style.visibility = up.length ? 'visible' : 'hidden';
		resetButton.disabled = !up.length;
		flipButton.textContent = state.icicle ? 'Flame' : 'Icicle';
		sideButton.textContent = state.side === 'after' ? 'Before' : 'After';
	}

	// Search: a frame's time counts once, however many of its callees match, too.
	function expression(text) {
		try {
			return text ? new RegExp(text, /[A-Z]/.test(text) ? 'u' : 'iu') : null;
		} catch (e) {
			return undefined;
		}
	}

	const tellMatched = (share, count) => 'Matched ' + share +
		(state.zoom.parent ? ' of the view' : '') + ' in ' + count +
		(count === 1 ? ' frame' : ' frames');

	function search() {
		const re = expression(state.search), zoom = state.zoom;
		let sum = 0, count = 0, counted = null;
		input.setAttribute('aria-invalid', re === undefined);
		for (const n of nodes) {
			n.hit = Boolean(re && re.test(n.name));
			if (!n.hit || !inside(n, zoom))
				continue;
			count++;
			if (!counted || !inside(n, counted)) {
				sum += size(n);
				counted = n;
			}
		}
		matched.textContent = re ? tellMatched(percent(sum, size(zoom)), count) :
			re === undefined ? 'Not a regular expression' : '';
	}

	// State and address.
	const defaults = {icicle: svg.dataset.inverted === '1', search: svg.dataset.search || ''};

	function address() {
		const names = [];
		for (let n = state.zoom; n.parent; n = n.parent)
			names.unshift(encodeURIComponent(n.name));
		const parts = [];
		if (names.length)
			parts.push('zoom=' + names.join(';'));
		if (state.search !== defaults.search)
			parts.push('search=' + encodeURIComponent(state.search));
		if (state.icicle !== defaults.icicle)
			parts.push('icicle=' + Number(state.icicle));
		if (state.side !== 'after')
			parts.push('side=' + state.side);
		return '#' + parts.join('&');
	}

	function decode(text) {
		try {
			return decodeURIComponent(text);
		} catch (e) {
			return text;
		}
	}

	function follow() {
		const parts = new Map(location.hash.slice(1).split('&').map((part) => {
			const equals = part.indexOf('=');
			return [part.slice(0, equals), part.slice(equals + 1)];
		}));
		let zoom = nodes[0];
		const names = (parts.get('zoom') || '').split(';').filter(Boolean);
		for (const name of names.map(decode)) {
			const next = zoom.children.find((c) => c.name === name);
			if (!next)
				break; // another picture's link: as far as it goes
			zoom = next;
		}
		state.zoom = zoom;
		state.search = parts.has('search') ? decode(parts.get('search')) : defaults.search;
		state.icicle = parts.has('icicle') ? parts.get('icicle') === '1' : defaults.icicle;
		state.side = diff && parts.get('side') === 'before' ? 'before' : 'after';
		if (document.activeElement !== input)
			input.value = state.search;
		refresh();
	}

	function refresh() {
		search();
		showPath();
		draw();
	}

	function go(change, replace) {
		const icicle = state.icicle;
		Object.assign(state, change);
		const hash = address();
		if (hash !== (location.hash || '#')) {
			try {
				history[replace ? 'replaceState' : 'pushState'](null, '', hash);
			} catch (e) {
				// A sandboxed picture has no address of its own; it works all the same.
			}
		}
		hideTip();
		refresh();
		if (icicle !== state.icicle)
			showRoot();
	}

	// Tooltips.
	function showTip(n, x, y) {
		const box = svg.getBoundingClientRect(), top = Math.max(-box.top, 0);
		tipBox.replaceChildren(element('b', {}, n.name), describe(n).join('\n'));
		tip.style.display = '';
		tip.setAttribute('width', Math.min(580, box.width));
		tip.setAttribute('height', 10);
		const own = tipBox.getBoundingClientRect();
		const below = y + 18 + own.height < Math.min(top + window.innerHeight, box.height);
		tip.setAttribute('x', Math.max(4, Math.min(x + 14, box.width - own.width - 8)));
		tip.setAttribute('y', below ? y + 18 : Math.max(top + 4, y - own.height - 12));
	}
	function hideTip() {
		tip.style.display = 'none';
	}
	function tipAtFrame(n) {
		const x = Number(n.rect.getAttribute('x')) + Math.min(n.width / 2, 40);
		showTip(n, x, Number(n.rect.getAttribute('y')) + ROW / 2);
	}

	// Keyboard: one frame is in the tab order, arrows move on from it.
	let current = null;

	function focus(n) {
		if (!n)
			return;
		if (current)
			current.g.removeAttribute('tabindex');
		current = n;
		n.g.setAttribute('tabindex', 0);
		n.g.setAttribute('role', 'treeitem');
		n.g.setAttribute('aria-level', n.depth + 1);
		n.g.setAttribute('aria-label', n.name + ', ' + describe(n).join(', '));
		n.g.focus({preventScroll: true});
		reveal(n);
		tipAtFrame(n);
	}

	function reveal(n) {
		const box = n.rect.getBoundingClientRect();
		if (box.top < TOP)
			window.scrollBy(0, box.top - TOP);
		else if (box.bottom > window.innerHeight)
			window.scrollBy(0, box.bottom - window.innerHeight + BOTTOM);
	}

	const shownChildren = (n) => n.children.filter((c) => c.shown);
	function sibling(n, step) {
		const row = nodes.filter((other) => other.shown && other.depth === n.depth);
		return row[row.indexOf(n) + step];
	}
	const largest = (list) =>
		list.reduce((best, n) => !best || size(n) > size(best) ? n : best, null);

	function nextMatch(step) {
		const hits = nodes.filter((n) => n.hit && n.shown && n.width >= 1);
		if (!hits.length)
			return;
		const at = hits.indexOf(current);
		focus(hits[at < 0 ? (step > 0 ? 0 : hits.length - 1)
				  : (at + step + hits.length) % hits.length]);
	}

	const deeper = (n) => largest(shownChildren(n)), nearer = (n) => n.parent;
	const keys = {
		ArrowLeft: (n) => focus(sibling(n, -1)),
		ArrowRight: (n) => focus(sibling(n, 1)),
		ArrowUp: (n) => focus((state.icicle ? nearer : deeper)(n)),
		ArrowDown: (n) => focus((state.icicle ? deeper : nearer)(n)),
		Home: () => focus(nodes[0]),
		Enter: (n) => zoomTo(n),
		' ': (n) => zoomTo(n),
		Escape: () => zoomTo(state.zoom.parent || state.zoom),
		Backspace: () => zoomTo(state.zoom.parent || state.zoom),
		n: () => nextMatch(1),
		N: () => nextMatch(-1),
		i: () => go({icicle: !state.icicle}),
		f: () => go({icicle: !state.icicle}),
		b: () => diff && go({side: state.side === 'after' ? 'before' : 'after'}),
		r: () => go({zoom: nodes[0]}),
		'/': () => input.select(),
	};

	function zoomTo(n) {
		go({zoom: n});
		focus(n);
	}

	function onKey(event) {
		if ((event.ctrlKey || event.metaKey) && event.key === 'f') {
			event.preventDefault();
			input.select();
			return;
		}
		if (event.ctrlKey || event.metaKey || event.altKey ||
			event.target.closest('button'))
			return;
		if (event.target === input) {
			if (event.key === 'Enter')
				nextMatch(1);
			else if (event.key === 'Escape')
				focus(current || state.zoom);
			return;
		}
		if (!Object.hasOwn(keys, event.key))
			return;
		event.preventDefault();
		keys[event.key](current && current.shown ? current : state.zoom);
	}

	// The root belongs in sight: at the bottom of a flame graph, at the top of an icicle.
	function showRoot() {
		window.scrollTo(0, state.icicle ? 0 : height);
	}
	function keepHead() {
		const top = Math.max(-svg.getBoundingClientRect().top, 0);
		head.setAttribute('transform', 'translate(0,' + top + ')');
	}
	const frameOf = (event) => {
		const g = event.target.closest('.f > g');
		return g && g.node;
	};

	function start() {
		const open = [];
		for (const g of [...frames.children])
			readFrame(g, open);
		findEnds();
		svg.setAttribute('width', '100%');
		svg.setAttribute('role', 'group');
		frames.setAttribute('role', 'tree');
		frames.setAttribute('aria-label', 'Frames');
		head.append(bar, path);
		svg.append(tip);
		hideTip();
		const probe = document.createElementNS(SVG, 'text');
		probe.textContent = 'm'.repeat(100);
		frames.append(probe);
		cell = probe.getComputedTextLength() / 100 || cell;
		probe.remove();

		frames.addEventListener(
			'click', (event) => frameOf(event) && zoomTo(frameOf(event)));
		frames.addEventListener('mousemove', (event) => {
			const n = frameOf(event), box = svg.getBoundingClientRect();
			if (n)
				showTip(n, event.clientX - box.left, event.clientY - box.top);
		});
		frames.addEventListener('mouseleave', hideTip);
		input.addEventListener('input', () => go({search: input.value}, true));
		svg.addEventListener('keydown', onKey);
		if (svg === document.documentElement)
			document.addEventListener(
				'keydown', (event) => event.target.closest('svg') || onKey(event));
		window.addEventListener('hashchange', follow);
		window.addEventListener('popstate', follow);
		window.addEventListener('scroll', keepHead);
		let pending = 0;
		window.addEventListener('resize', () => {
			pending = pending || requestAnimationFrame(() => {
				pending = 0;
				draw();
			});
		});
		follow();
		nodes[0].g.setAttribute('tabindex', 0);
		current = nodes[0];
		showRoot();
		keepHead();
	}
	start();
})();
