"use strict";
// The viewer draws windows, planes and contours from the CT as 8-bit codes, one image per slice.
(() => {
  const data = JSON.parse(document.getElementById("viewer-data").textContent);
  const [depth, rows, columns] = data.shape;
  const [rowMm, columnMm] = data.pixelMm;
  const volume = new Uint8Array(depth * rows * columns);
  const loaded = new Uint8Array(depth);
  const huOfCode = table(data.codeKnots, data.huKnots);
  const edges = sliceEdges(data.offsetsMm, rowMm);
  const zStepMm = Math.min(rowMm, columnMm);
  const height = edges[depth] - edges[0];
  const zPixels = Math.max(1, Math.round(height / zStepMm));
  const rois = data.rois.map(readRoi);
  const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3], [14, 4]];

  const element = (id) => document.getElementById(id);
  const canvas = element("canvas");
  const context = canvas.getContext("2d");
  const slider = element("slice");
  const picture = document.createElement("canvas");
  const state = {
    plane: "axial",
    at: { axial: startSlice(), sagittal: columns >> 1, coronal: rows >> 1 },
    low: -160, high: 240, names: true, zoom: 1, shift: [0, 0], pointer: null,
  };

  function table(codes, values) {
    const result = new Float32Array(256);
    for (let i = 0, k = 0; i < 256; i++) {
      while (k < codes.length - 2 && i > codes[k + 1]) k++;
      const t = (i - codes[k]) / (codes[k + 1] - codes[k]);
      result[i] = values[k] + t * (values[k + 1] - values[k]);
    }
    return result;
  }

  function sliceEdges(offsets, single) {
    const n = offsets.length;
    if (n === 1) return [-single / 2, single / 2];
    const result = [offsets[0] - (offsets[1] - offsets[0]) / 2];
    for (let k = 1; k < n; k++) result.push((offsets[k - 1] + offsets[k]) / 2);
    result.push(offsets[n - 1] + (offsets[n - 1] - offsets[n - 2]) / 2);
    return result;
  }

  function readRoi(roi) {
    const rings = new Map();
    for (const [k, list] of Object.entries(roi.rings)) {
      rings.set(Number(k), list.map((steps) => {
        const points = new Float32Array(steps.length);
        let x = 0, y = 0;
        for (let i = 0; i < steps.length; i += 2) {
          points[i] = (x += steps[i]) / data.ringScale;
          points[i + 1] = (y += steps[i + 1]) / data.ringScale;
        }
        return points;
      }));
    }
    const slices = [...rings.keys()].sort((a, b) => a - b);
    const [red, green, blue] = roi.colour;
    const dark = 0.299 * red + 0.587 * green + 0.114 * blue < 110;
    const halo = dark ? "rgba(255,255,255,0.75)" : "rgba(0,0,0,0.55)";
    return { ...roi, rings, slices, halo, on: true, css: `rgb(${red},${green},${blue})` };
  }

  function startSlice() {
    const weight = new Array(depth).fill(0);
    for (const roi of rois) for (const k of roi.slices) weight[k]++;
    const most = Math.max(...weight);
    const best = weight.flatMap((w, k) => (w === most ? [k] : []));
    return best[best.length >> 1];
  }

  // ---- loading: the slice in view first, then the others around it
  async function load(k) {
    if (loaded[k]) return;
    const image = new Image();
    image.src = `data:image/jpeg;base64,${data.slices[k]}`;
    await image.decode();
    if (loaded[k]) return;
    const sheet = document.createElement("canvas");
    sheet.width = columns;
    sheet.height = rows;
    const pen = sheet.getContext("2d", { willReadFrequently: true });
    pen.drawImage(image, 0, 0);
    const pixels = pen.getImageData(0, 0, columns, rows).data;
    const start = k * rows * columns;
    for (let i = 0; i < rows * columns; i++) volume[start + i] = pixels[4 * i];
    loaded[k] = 1;
    data.slices[k] = null;
  }

  async function loadAll() {
    const first = state.at.axial;
    const order = [...Array(depth).keys()].sort((a, b) => Math.abs(a - first) - Math.abs(b - first));
    let done = 0;
    for (const k of order) {
      await load(k);
      done++;
      if (done === 1 || k === state.at[state.plane] || done % 25 === 0) draw();
    }
    canvas.dataset.ready = "true";
    draw();
  }

  // ---- geometry of the planes: pixels across and down, millimetres, letters of the sides
  function layout() {
    const [x, y, z] = data.faces;
    if (state.plane === "axial") {
      return { width: columns, height: rows, mm: [columnMm, rowMm], count: depth,
               sides: { left: x[0], right: x[1], top: y[0], bottom: y[1] } };
    }
    const [width, mm, pair, count] = state.plane === "sagittal"
      ? [rows, rowMm, y, columns] : [columns, columnMm, x, rows];
    return { width, height: zPixels, mm: [mm, height / zPixels], count,
             sides: { left: pair[0], right: pair[1], top: z[1], bottom: z[0] } };
  }

  function place(plan) {
    const full = [plan.width * plan.mm[0], plan.height * plan.mm[1]];
    const scale = Math.min(canvas.width / full[0], canvas.height / full[1]) * state.zoom;
    const middle = state.zoom > 1 ? focus() : [plan.width / 2, plan.height / 2];
    return {
      scale,
      x: canvas.width / 2 - middle[0] * plan.mm[0] * scale + state.shift[0],
      y: canvas.height / 2 - middle[1] * plan.mm[1] * scale + state.shift[1],
    };
  }

  // The common point of all planes, in pixels of this plane. Magnified pictures are centred on it.
  function focus() {
    const { axial, sagittal, coronal } = state.at;
    if (state.plane === "axial") return [sagittal + 0.5, coronal + 0.5];
    const down = ((edges[depth] - data.offsetsMm[axial]) / height) * zPixels;
    return [(state.plane === "sagittal" ? coronal : sagittal) + 0.5, down];
  }

  // Position of a row of a sagittal or coronal picture: slice below, and weight of the slice above.
  function between(j) {
    const mm = edges[depth] - ((j + 0.5) * height) / zPixels;
    const offsets = data.offsetsMm;
    let k = 0;
    while (k < depth - 1 && offsets[k + 1] <= mm) k++;
    if (k === depth - 1) return [k, 0];
    return [k, Math.min(1, Math.max(0, (mm - offsets[k]) / (offsets[k + 1] - offsets[k])))];
  }

  function greys() {
    const result = new Float32Array(256);
    for (let i = 0; i < 256; i++) {
      result[i] = Math.min(255, Math.max(0, ((huOfCode[i] - state.low) / (state.high - state.low)) * 255));
    }
    return result;
  }

  function paint(plan) {
    const at = state.at[state.plane];
    const grey = greys();
    picture.width = plan.width;
    picture.height = plan.height;
    const pen = picture.getContext("2d");
    const image = pen.createImageData(plan.width, plan.height);
    const out = new Uint32Array(image.data.buffer);
    const put = (i, value) => { out[i] = 0xff000000 | (Math.round(value) * 0x010101); };
    const area = rows * columns;
    if (state.plane === "axial") {
      for (let i = 0; i < area; i++) put(i, grey[volume[at * area + i]]);
    } else {
      const step = state.plane === "sagittal" ? columns : 1;
      const start = state.plane === "sagittal" ? at : at * columns;
      for (let j = 0; j < plan.height; j++) {
        const [k, share] = between(j);
        const low = k * area + start;
        const high = Math.min(k + 1, depth - 1) * area + start;
        for (let i = 0; i < plan.width; i++) {
          const value = grey[volume[low + i * step]];
          put(j * plan.width + i, value + share * (grey[volume[high + i * step]] - value));
        }
      }
    }
    pen.putImageData(image, 0, 0);
  }

  // ---- contours
  function axialLines(roi, at) {
    return (roi.rings.get(at) || []).map((points) => {
      const line = [];
      for (let i = 0; i < points.length; i += 2) line.push([points[i], points[i + 1]]);
      line.push(line[0]);
      return line;
    });
  }

  // Crossings of a ring's edges with the plane: axis 0 for x = at (sagittal), 1 for y = at (coronal).
  function crossings(roi, k, axis, at) {
    const found = [];
    for (const points of roi.rings.get(k) || []) {
      const n = points.length;
      for (let i = 0; i < n; i += 2) {
        const j = (i + 2) % n;
        const a = points[i + axis], b = points[j + axis];
        if ((a <= at) === (b <= at)) continue;
        const t = (at - a) / (b - a);
        found.push(points[i + 1 - axis] + t * (points[j + 1 - axis] - points[i + 1 - axis]));
      }
    }
    return found.sort((a, b) => a - b);
  }

  // Each slice is a slab of its thickness; the steps between differing neighbours are drawn too.
  function slabLines(roi, plane, at) {
    const axis = plane === "sagittal" ? 0 : 1;
    const down = (mm) => ((edges[depth] - mm) / height) * zPixels;
    const lines = [];
    if (!roi.slices.length) return lines;
    let before = [];
    const last = roi.slices[roi.slices.length - 1];
    for (let k = roi.slices[0]; k <= last + 1; k++) {
      const now = k <= last ? crossings(roi, k, axis, at + 0.5) : [];
      for (const x of now) lines.push([[x, down(edges[k])], [x, down(edges[k + 1])]]);
      const steps = [...before, ...now].sort((a, b) => a - b);
      for (let i = 0; i + 1 < steps.length; i += 2) {
        if (steps[i + 1] - steps[i] > 0.01) lines.push([[steps[i], down(edges[k])], [steps[i + 1], down(edges[k])]]);
      }
      before = now;
    }
    return lines;
  }

  function linesOf(roi) {
    const at = state.at[state.plane];
    return state.plane === "axial" ? axialLines(roi, at) : slabLines(roi, state.plane, at);
  }

  function drawContours(plan, where, ratio) {
    const drawn = [];
    for (const roi of rois) {
      if (!roi.on) continue;
      const lines = linesOf(roi);
      if (!lines.length) continue;
      const toX = (x) => where.x + x * plan.mm[0] * where.scale;
      const toY = (y) => where.y + y * plan.mm[1] * where.scale;
      context.beginPath();
      let best = null;
      for (const line of lines) {
        line.forEach(([x, y], i) => {
          const p = [toX(x), toY(y)];
          if (i) context.lineTo(...p); else context.moveTo(...p);
          if (!best || p[0] > best[0]) best = p;
        });
      }
      context.setLineDash([]);
      context.lineWidth = 3.4 * ratio;
      context.strokeStyle = roi.halo;
      context.stroke();
      if (state.plane === "axial") context.setLineDash(DASHES[(roi.number - 1) % DASHES.length].map((v) => v * ratio));
      context.lineWidth = 1.7 * ratio;
      context.strokeStyle = roi.css;
      context.stroke();
      drawn.push([roi, best]);
    }
    context.setLineDash([]);
    if (state.names) drawNames(drawn, ratio);
    canvas.dataset.drawn = drawn.map(([roi]) => roi.name).join(" ");
  }

  function drawNames(drawn, ratio) {
    const size = 13 * ratio;
    context.font = `600 ${size}px system-ui, sans-serif`;
    context.textAlign = "left";
    context.textBaseline = "middle";
    const taken = [];
    for (const [roi, [px, py]] of drawn) {
      const wide = context.measureText(roi.name).width;
      const x = Math.min(px + 10 * ratio, canvas.width - wide - 4 * ratio);
      let y = Math.min(Math.max(py, size), canvas.height - 2.5 * size);
      while (taken.some((box) => Math.abs(box.y - y) < size * 1.15 && x < box.x + box.wide && box.x < x + wide)) y += size * 0.4;
      taken.push({ x, y, wide });
      context.fillStyle = "rgba(0,0,0,0.65)";
      context.fillRect(x - 2 * ratio, y - size * 0.6, wide + 4 * ratio, size * 1.2);
      context.fillStyle = roi.css;
      context.fillRect(x - 6 * ratio, y - size * 0.6, 4 * ratio, size * 1.2);
      context.fillStyle = "#fff";
      context.fillText(roi.name, x, y);
    }
  }

  function drawText(plan, ratio) {
    const size = 14 * ratio, pad = 8 * ratio;
    const text = (words, x, y, align, base, colour) => {
      context.textAlign = align;
      context.textBaseline = base;
      const wide = context.measureText(words).width;
      const left = align === "center" ? x - wide / 2 : align === "right" ? x - wide : x;
      const top = base === "top" ? y : base === "bottom" ? y - size * 1.2 : y - size * 0.6;
      context.fillStyle = "rgba(0,0,0,0.6)";
      context.fillRect(left - 3 * ratio, top - 2 * ratio, wide + 6 * ratio, size * 1.3);
      context.fillStyle = colour;
      context.fillText(words, x, y);
    };
    context.font = `700 ${size}px system-ui, sans-serif`;
    text(data.warning, canvas.width / 2, pad, "center", "top", "#ffc34d");
    context.font = `600 ${size}px system-ui, sans-serif`;
    const { left, right, top, bottom } = plan.sides;
    text(left, pad, canvas.height / 2, "left", "middle", "#fff");
    text(right, canvas.width - pad, canvas.height / 2, "right", "middle", "#fff");
    text(top, canvas.width / 2, pad + 1.7 * size, "center", "top", "#fff");
    text(bottom, canvas.width / 2, canvas.height - pad, "center", "bottom", "#fff");
    text(caption(plan), pad, canvas.height - pad, "left", "bottom", "#fff");
    const level = Math.round((state.low + state.high) / 2);
    text(`L ${level} W ${Math.round(state.high - state.low)}`, canvas.width - pad, canvas.height - pad, "right", "bottom", "#fff");
  }

  function caption(plan) {
    const at = state.at[state.plane];
    const mm = state.plane === "axial" ? `, ${data.positionsMm[at].toFixed(1)} mm` : "";
    return `${state.plane} ${at + 1} of ${plan.count}${mm}`;
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1;
    const box = canvas.getBoundingClientRect();
    canvas.width = Math.max(1, Math.round(box.width * ratio));
    canvas.height = Math.max(1, Math.round(box.height * ratio));
    const plan = layout();
    const where = place(plan);
    context.fillStyle = "#000";
    context.fillRect(0, 0, canvas.width, canvas.height);
    paint(plan);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, where.x, where.y, plan.width * plan.mm[0] * where.scale, plan.height * plan.mm[1] * where.scale);
    drawContours(plan, where, ratio);
    drawText(plan, ratio);
    slider.max = plan.count - 1;
    slider.value = state.at[state.plane];
    canvas.setAttribute("aria-label", `CT, ${caption(plan)}. Contours: ${canvas.dataset.drawn || "none"}. ${data.warning}. Arrow keys change the slice.`);
    readout(plan, where);
  }

  let queued = false;
  function refresh() {
    if (queued) return;
    queued = true;
    requestAnimationFrame(() => { queued = false; draw(); });
  }

  // ---- the point under the pointer
  function pointAt(plan, where, pointer) {
    const x = Math.floor((pointer[0] - where.x) / where.scale / plan.mm[0]);
    const y = Math.floor((pointer[1] - where.y) / where.scale / plan.mm[1]);
    if (x < 0 || y < 0 || x >= plan.width || y >= plan.height) return null;
    if (state.plane === "axial") return [state.at.axial, y, x];
    const [k, share] = between(y);
    const slice = share > 0.5 ? k + 1 : k;
    return state.plane === "sagittal" ? [slice, x, state.at.sagittal] : [slice, state.at.coronal, x];
  }

  function readout(plan, where) {
    const ready = loaded.reduce((sum, one) => sum + one, 0);
    const here = state.pointer && pointAt(plan, where, state.pointer);
    const words = [caption(plan)];
    if (ready < depth) words.push(`loading: ${ready} of ${depth} slices`);
    if (here && loaded[here[0]]) {
      const hu = huOfCode[volume[(here[0] * rows + here[1]) * columns + here[2]]];
      words.push(`about ${Math.round(hu)} HU at the pointer`);
    }
    element("readout").textContent = words.join("; ");
  }

  // ---- user actions
  function go(index) {
    const count = layout().count;
    state.at[state.plane] = Math.min(count - 1, Math.max(0, index));
    refresh();
  }

  function setPlane(plane) {
    state.plane = plane;
    state.shift = [0, 0];
    document.querySelector(`input[name="plane"][value="${plane}"]`).checked = true;
    refresh();
  }

  function setWindow(low, high) {
    [state.low, state.high] = [low, high];
    element("level").value = Math.round((low + high) / 2);
    element("width").value = Math.round(high - low);
    for (const button of document.querySelectorAll("button.window")) {
      const mine = Number(button.dataset.low) === low && Number(button.dataset.high) === high;
      button.setAttribute("aria-pressed", String(mine));
    }
    refresh();
  }

  function setZoom(zoom) {
    state.zoom = Math.min(8, Math.max(1, zoom));
    if (state.zoom === 1) state.shift = [0, 0];
    refresh();
  }

  function setAll(on) {
    for (const roi of rois) {
      roi.on = on;
      roi.box.checked = on;
    }
    refresh();
  }

  function setNames(on) {
    state.names = on;
    element("labels").checked = on;
    refresh();
  }

  function show(roi, slice) {
    roi.on = true;
    roi.box.checked = true;
    const rings = roi.rings.get(slice);
    const points = rings[0];
    let x = 0, y = 0;
    for (let i = 0; i < points.length; i += 2) { x += points[i]; y += points[i + 1]; }
    const n = points.length / 2;
    state.at = {
      axial: slice,
      sagittal: Math.min(columns - 1, Math.max(0, Math.floor(x / n))),
      coronal: Math.min(rows - 1, Math.max(0, Math.floor(y / n))),
    };
    state.selected = roi;
    state.shift = [0, 0];
    refresh();
  }

  function neighbour(step) {
    const shown = rois.filter((roi) => roi.slices.length);
    if (!shown.length) return;
    const now = shown.indexOf(state.selected);
    const next = now < 0 ? (step > 0 ? 0 : shown.length - 1) : (now + step + shown.length) % shown.length;
    show(shown[next], middle(shown[next]));
  }

  const middle = (roi) => roi.slices[roi.slices.length >> 1];

  function buildList() {
    const list = element("rois");
    for (const roi of rois) {
      const label = document.createElement("label");
      roi.box = document.createElement("input");
      roi.box.type = "checkbox";
      roi.box.checked = true;
      roi.box.addEventListener("change", () => { roi.on = roi.box.checked; refresh(); });
      const sample = document.createElement("canvas");
      sample.width = 34;
      sample.height = 8;
      const pen = sample.getContext("2d");
      pen.fillStyle = "#000";
      pen.fillRect(0, 0, 34, 8);
      pen.strokeStyle = roi.css;
      pen.lineWidth = 3;
      pen.setLineDash(DASHES[(roi.number - 1) % DASHES.length]);
      pen.beginPath();
      pen.moveTo(0, 4);
      pen.lineTo(34, 4);
      pen.stroke();
      const name = document.createElement("span");
      name.textContent = roi.name;
      const line = document.createElement("div");
      label.append(roi.box, sample, name);
      line.append(label);
      if (roi.slices.length) {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "go";
        button.textContent = "show";
        button.setAttribute("aria-label", `Show ${roi.name}`);
        button.addEventListener("click", () => { show(roi, middle(roi)); canvas.focus(); });
        line.append(button);
      }
      list.append(line);
    }
  }

  const KEYS = {
    ArrowUp: () => go(state.at[state.plane] + 1),
    ArrowRight: () => go(state.at[state.plane] + 1),
    ArrowDown: () => go(state.at[state.plane] - 1),
    ArrowLeft: () => go(state.at[state.plane] - 1),
    PageUp: () => go(state.at[state.plane] + 10),
    PageDown: () => go(state.at[state.plane] - 10),
    Home: () => go(0),
    End: () => go(layout().count - 1),
    a: () => setPlane("axial"),
    s: () => setPlane("sagittal"),
    c: () => setPlane("coronal"),
    n: () => setNames(!state.names),
    o: () => setAll(true),
    x: () => setAll(false),
    "+": () => setZoom(state.zoom * 1.25),
    "=": () => setZoom(state.zoom * 1.25),
    "-": () => setZoom(state.zoom / 1.25),
    0: () => setZoom(1),
    "[": () => neighbour(-1),
    "]": () => neighbour(1),
  };

  function listen() {
    const windows = [...document.querySelectorAll("button.window")];
    windows.forEach((button, i) => {
      const choose = () => setWindow(Number(button.dataset.low), Number(button.dataset.high));
      button.addEventListener("click", choose);
      KEYS[i + 1] = choose;
    });
    canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
      event.preventDefault();
      KEYS[event.key]();
    });
    slider.addEventListener("input", () => go(Number(slider.value)));
    for (const radio of document.querySelectorAll('input[name="plane"]')) {
      radio.addEventListener("change", () => setPlane(radio.value));
    }
    const typed = () => {
      const level = Number(element("level").value), width = Math.max(1, Number(element("width").value));
      setWindow(level - width / 2, level + width / 2);
    };
    element("level").addEventListener("change", typed);
    element("width").addEventListener("change", typed);
    element("labels").addEventListener("change", (event) => setNames(event.target.checked));
    element("all").addEventListener("click", () => setAll(true));
    element("none").addEventListener("click", () => setAll(false));
    element("zoom-in").addEventListener("click", () => setZoom(state.zoom * 1.25));
    element("zoom-out").addEventListener("click", () => setZoom(state.zoom / 1.25));
    element("zoom-reset").addEventListener("click", () => setZoom(1));
    for (const button of document.querySelectorAll("button.jump")) {
      button.addEventListener("click", () => {
        setPlane("axial");
        show(rois.find((roi) => roi.number === Number(button.dataset.roi)), Number(button.dataset.slice));
        element("viewer").scrollIntoView();
        canvas.focus({ preventScroll: true });
      });
    }
    listenToPointer();
    new ResizeObserver(refresh).observe(canvas);
  }

  function listenToPointer() {
    let turned = 0, drag = null;
    const position = (event) => {
      const box = canvas.getBoundingClientRect();
      const ratio = canvas.width / box.width;
      return [(event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio];
    };
    canvas.addEventListener("wheel", (event) => {
      if (event.ctrlKey) return;
      event.preventDefault();
      turned += event.deltaY;
      const steps = Math.trunc(turned / 50);
      if (steps) {
        turned -= steps * 50;
        go(state.at[state.plane] - Math.sign(steps));
      }
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      drag = { from: position(event), shift: [...state.shift], moved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      state.pointer = position(event);
      if (drag) {
        const move = [0, 1].map((i) => state.pointer[i] - drag.from[i]);
        if (Math.hypot(...move) > 4) drag.moved = true;
        if (drag.moved && state.zoom > 1) state.shift = [0, 1].map((i) => drag.shift[i] + move[i]);
      }
      if (drag && drag.moved) refresh();
      else { const plan = layout(); readout(plan, place(plan)); }
    });
    canvas.addEventListener("pointerup", (event) => {
      if (drag && !drag.moved) {
        const plan = layout();
        const here = pointAt(plan, place(plan), position(event));
        if (here) {
          const [axial, coronal, sagittal] = here;
          state.at = { axial, coronal, sagittal };
          state.shift = [0, 0];
          refresh();
        }
      }
      drag = null;
    });
    canvas.addEventListener("pointerleave", () => { state.pointer = null; refresh(); });
  }

  buildList();
  listen();
  draw();
  loadAll();
})();
