// A place to drop files on or to choose them at, and the bars of the files that are on their way.
import * as queue from "chorus-page/uploads.js";

const zones = new Set();
let dragDepth = 0;

// A file dropped beside every zone goes to the one that likes its kind best.
function zoneFor(file) {
  const able = [...zones].filter((zone) => zone.takes(file));
  return able.find((zone) => zone.prefers(file)) || able[0] || [...zones].at(-1);
}

function isFileDrag(event) {
  return zones.size > 0 && [...(event.dataTransfer?.types || [])].includes("Files");
}

function markDrag(change) {
  dragDepth = Math.max(0, change === 0 ? 0 : dragDepth + change);
  document.body.classList.toggle("files-over-page", dragDepth > 0);
}

async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  return (await Promise.all(entries.map(filesBelow))).flat();
}

async function filesBelow(entry) {
  if (entry.isFile) return new Promise((resolve) => entry.file((file) => resolve([file]), () => resolve([])));
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (!some.length) return found;
    for (const each of some) if (!each.name.startsWith(".")) found.push(...(await filesBelow(each)));
  }
}

window.addEventListener("dragenter", (event) => isFileDrag(event) && markDrag(+1));
window.addEventListener("dragleave", (event) => isFileDrag(event) && markDrag(-1));
window.addEventListener("dragover", (event) => isFileDrag(event) && event.preventDefault());
window.addEventListener("drop", async (event) => {
  if (!isFileDrag(event)) return;
  event.preventDefault();
  markDrag(0);
  for (const file of await filesOf(event.dataTransfer)) zoneFor(file)?.take([file]);
});

export default {
  props: {
    zone: String,
    preferred: Array,
    accepted: Array,
    multiple: Boolean,
    compact: Boolean,
    maxBytes: Number,
    icon: String,
    title: String,
    hint: String,
    button: String,
    words: Object,
  },
  template: `
    <div class="uploads" :class="{ 'beside-grips': multiple }">
      <ul v-if="mine.length || stale.length" class="media-list">
        <li v-for="each in mine" :key="each.key" class="media-row" :class="'upload-' + each.state">
          <span class="thumb thumb-plain"><i class="material-symbols-outlined" aria-hidden="true">{{ icon }}</i></span>
          <div class="media-main">
            <div class="media-name" :title="each.name">{{ each.name }}</div>
            <progress v-if="!isOver(each)" :value="each.sent" :max="each.size || 1" :aria-label="say('bar', each.name)"></progress>
            <div class="media-facts numbers" :class="{ bad: isOver(each) }">{{ describe(each) }}</div>
          </div>
          <button v-if="each.state === 'stopped'" type="button" class="text-button" @click="tryAgain(each)">{{ words.again }}</button>
          <button type="button" class="round-button" :aria-label="say('cancel', each.name)" :title="say('cancel', each.name)" @click="cancel(each)">
            <i class="material-symbols-outlined" aria-hidden="true">close</i>
          </button>
        </li>
        <li v-for="each in stale" :key="each.fingerprint" class="media-row upload-stale">
          <span class="thumb thumb-plain"><i class="material-symbols-outlined" aria-hidden="true">history</i></span>
          <div class="media-main">
            <div class="media-name" :title="each.name">{{ each.name }}</div>
            <progress :value="each.sent" :max="each.size || 1" :aria-label="say('bar', each.name)"></progress>
            <div class="media-facts">{{ say('stale', each.name, percent(each)) }}</div>
          </div>
          <button type="button" class="text-button" @click="choose">{{ words.choose }}</button>
          <button type="button" class="round-button" :aria-label="say('discard', each.name)" :title="say('discard', each.name)" @click="forget(each)">
            <i class="material-symbols-outlined" aria-hidden="true">close</i>
          </button>
        </li>
      </ul>
      <div v-if="!full" class="drop-zone" :class="{ over, compact }"
        @dragenter="over = true" @dragleave.self="over = false" @drop.prevent.stop="drop">
        <i class="material-symbols-outlined" aria-hidden="true">{{ icon }}</i>
        <div class="drop-text">
          <div class="drop-title">{{ title }}</div>
          <div class="drop-hint">{{ hint }}</div>
        </div>
        <button type="button" class="text-button" @click="choose">{{ button }}</button>
        <input ref="input" type="file" class="unseen" :data-zone="zone" tabindex="-1" aria-hidden="true" :multiple="multiple"
          :accept="accepted.join(',')" @change="take([...$event.target.files]); $event.target.value = ''" />
      </div>
      <div class="unseen" role="status">{{ announcement }}</div>
    </div>
  `,
  data: () => ({ over: false, announcement: "" }),
  computed: {
    mine() {
      return queue.uploads.filter((each) => each.zone === this.zone);
    },
    stale() {
      return queue.leftovers.filter((each) => each.zone === this.zone);
    },
    full() {
      return !this.multiple && this.mine.some((each) => !this.isOver(each));
    },
    busy() {
      return queue.countBusy();
    },
  },
  watch: {
    busy(now, before) {
      this.announcement = now ? this.say("going", now) : before ? this.words.all_sent : "";
    },
  },
  mounted() {
    zones.add(this);
  },
  unmounted() {
    zones.delete(this);
  },
  methods: {
    cancel: queue.cancel,
    forget: queue.forget,
    tryAgain: queue.tryAgain,
    choose() {
      this.$refs.input.click();
    },
    async drop(event) {
      markDrag(0);
      this.over = false;
      this.take(await filesOf(event.dataTransfer));
    },
    take(files) {
      for (const file of this.multiple ? files : files.slice(0, 1)) queue.add(this.zone, file, this.refuse(file));
    },
    takes(file) {
      return this.accepted.includes(this.ending(file));
    },
    prefers(file) {
      return this.preferred.includes(this.ending(file));
    },
    ending(file) {
      return file.name.slice(file.name.lastIndexOf(".")).toLowerCase();
    },
    refuse(file) {
      if (!this.takes(file)) return this.words.wrong_kind;
      if (file.size === 0) return this.words.empty;
      if (file.size > this.maxBytes) return this.words.too_large.replace("{limit}", this.sizeText(this.maxBytes));
      return "";
    },
    isOver(upload) {
      return ["refused", "stopped"].includes(upload.state);
    },
    percent(upload) {
      return upload.size ? Math.floor((100 * upload.sent) / upload.size) : 0;
    },
    sizeText(bytes) {
      return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : bytes >= 1e6 ? `${(bytes / 1e6).toFixed(0)} MB` : `${Math.ceil(bytes / 1e3)} KB`;
    },
    say(key, name, percent) {
      return this.words[key].replace("{name}", name).replace("{number}", name).replace("{percent}", percent);
    },
    describe(upload) {
      if (this.isOver(upload) && upload.message) return upload.message;
      const amount = `${this.sizeText(upload.sent)} / ${this.sizeText(upload.size)}`;
      if (upload.state === "sending") return `${amount} · ${this.percent(upload)} %`;
      if (upload.state === "pausing") return `${amount} · ${this.words.pausing}`;
      return this.words[upload.state];
    },
  },
};
