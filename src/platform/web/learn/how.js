// The page "How it works": starts the figures of its chapters.

import { start as startBreaking } from "./breaking.js";
import { start as startDropout } from "./dropout.js";
import { start as startFace } from "./face.js";
import { start as startFilter } from "./filter.js";
import { start as startLayers } from "./layers.js";
import { start as startOverfitting } from "./overfitting.js";
import { start as startShower } from "./shower.js";
import { start as startSplit } from "./split.js";
import { start as startZoom } from "./zoom.js";

for (const start of [startZoom, startFilter, startLayers, startSplit, startOverfitting, startDropout, startShower, startBreaking]) {
  start();
}
startFace();
