// Measures face-api's own pipeline in Node, WebAssembly with SIMD, one thread.
//
//     node face_api.mjs FOLDER [--times N] PICTURE... > face-api.json
//
// FOLDER contains the `node_modules` with face-api. face-api does not decode pictures: here a plain
// JavaScript decoder does, whose time is reported separately (`decode`) and not included in `detect`.
// `detect` starts from pixels: SSD MobileNet, 68 landmarks, then age and gender.

import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const [folder, ...rest] = process.argv.slice(2);
const times = rest[0] === '--times' ? Number(rest.splice(0, 2)[1]) : 5;
const modules = path.resolve(folder, 'node_modules');
const require = createRequire(path.join(modules, 'x.js'));
const tf = require('@tensorflow/tfjs');
const wasm = require('@tensorflow/tfjs-backend-wasm');
const faceapi = require('@vladmandic/face-api/dist/face-api.node-wasm.js');
const jpeg = require('jpeg-js');

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};
const version = (name) => JSON.parse(fs.readFileSync(path.join(modules, name, 'package.json'), 'utf8')).version;

wasm.setWasmPaths(path.join(modules, '@tensorflow/tfjs-backend-wasm/dist/'));
wasm.setThreadsCount(1);
await tf.setBackend('wasm');
await tf.ready();
const weights = path.join(modules, '@vladmandic/face-api/model');
for (const net of ['ssdMobilenetv1', 'faceLandmark68Net', 'ageGenderNet']) {
  await faceapi.nets[net].loadFromDisk(weights);
}
const options = new faceapi.SsdMobilenetv1Options({ minConfidence: 0.5 });

function pixels(data) {
  const picture = jpeg.decode(data, { useTArray: true, maxMemoryUsageInMB: 2048 });
  const rgb = new Int32Array(picture.width * picture.height * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    rgb[to] = picture.data[from];
    rgb[to + 1] = picture.data[from + 1];
    rgb[to + 2] = picture.data[from + 2];
  }
  return { width: picture.width, height: picture.height, rgb };
}

const photos = [];
for (const file of rest) {
  const data = fs.readFileSync(file);
  const elapsed = { decode: [], detect: [] };
  const photo = { file };
  for (let run = 0; run <= times; run += 1) {
    let before = performance.now();
    const { width, height, rgb } = pixels(data);
    const decode = performance.now() - before;
    before = performance.now();
    const tensor = tf.tensor3d(rgb, [height, width, 3], 'int32');
    const faces = await faceapi.detectAllFaces(tensor, options).withFaceLandmarks().withAgeAndGender();
    const detect = performance.now() - before;
    tensor.dispose();
    // The first run is a warm-up, in which code is compiled.
    if (run > 0) {
      elapsed.decode.push(decode);
      elapsed.detect.push(detect);
    }
    Object.assign(photo, { width, height, faces: faces.length });
    if (faces.length > 0) Object.assign(photo, { age: faces[0].age, gender: faces[0].gender });
  }
  photo.milliseconds = { decode: median(elapsed.decode), detect: median(elapsed.detect) };
  photos.push(photo);
}
const versions = { node: process.versions.node, 'face-api': version('@vladmandic/face-api'), tfjs: tf.version.tfjs };
console.log(JSON.stringify({ versions, photos }, null, 1));
