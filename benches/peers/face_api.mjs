// Measures face-api's own pipeline in Node, WebAssembly with SIMD, one thread.
//
//     node face_api.mjs FOLDER [--times N] PICTURE... > face-api.json
//
// FOLDER holds the `node_modules` with face-api. It decodes no pictures itself; a decoder in plain
// JavaScript does that here, is reported apart, and is left out of `detect`, which begins with the
// pixels: SSD MobileNet, the landmarks of 68 points, then age and gender.

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
  const spent = { decode: [], detect: [] };
  const photo = { file };
  for (let turn = 0; turn <= times; turn += 1) {
    let before = performance.now();
    const { width, height, rgb } = pixels(data);
    const decode = performance.now() - before;
    before = performance.now();
    const tensor = tf.tensor3d(rgb, [height, width, 3], 'int32');
    const faces = await faceapi.detectAllFaces(tensor, options).withFaceLandmarks().withAgeAndGender();
    const detect = performance.now() - before;
    tensor.dispose();
    // The first turn is where the code is compiled.
    if (turn > 0) {
      spent.decode.push(decode);
      spent.detect.push(detect);
    }
    Object.assign(photo, { width, height, faces: faces.length });
    if (faces.length > 0) Object.assign(photo, { age: faces[0].age, gender: faces[0].gender });
  }
  photo.milliseconds = { decode: median(spent.decode), detect: median(spent.detect) };
  photos.push(photo);
}
const versions = { node: process.versions.node, 'face-api': version('@vladmandic/face-api'), tfjs: tf.version.tfjs };
console.log(JSON.stringify({ versions, photos }, null, 1));
