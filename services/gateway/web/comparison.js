// Source and output side by side: one play, pause and scrub drives both; the sound is the output's.
const DRIFT_SECONDS = 0.1;

export default {
  props: { source: String, output: String, still: Boolean, sourcePoster: String, outputPoster: String, words: Object, autoplay: Boolean },
  template: `
    <div class="comparison">
      <div class="comparison-pictures">
        <figure>
          <div class="comparison-picture">
            <img v-if="still" :src="source" :alt="words.source" @error="missing = true" />
            <video v-else-if="!missing" ref="source" :src="source" :poster="sourcePoster" muted playsinline preload="auto"
              :aria-label="words.source" @error="missing = true" @click="toggle"></video>
            <img v-if="missing && !still" :src="sourcePoster" alt="" @error="$event.target.remove()" />
            <p v-if="missing" class="comparison-note">{{ words.unplayable }}</p>
          </div>
          <figcaption>{{ words.source }}</figcaption>
        </figure>
        <figure>
          <div class="comparison-picture">
            <video ref="output" :src="output" :poster="outputPoster" playsinline preload="auto" :aria-label="words.output"
              @play="play" @pause="pause" @ended="pause" @loadedmetadata="length = $event.target.duration"
              @timeupdate="follow" @seeked="follow" @click="toggle"></video>
          </div>
          <figcaption>{{ words.output }}</figcaption>
        </figure>
      </div>
      <div class="player-bar">
        <button type="button" class="round-button player-play" :aria-label="playing ? words.pause : words.play" @click="toggle">
          <i class="material-symbols-outlined" aria-hidden="true">{{ playing ? "pause" : "play_arrow" }}</i>
        </button>
        <input type="range" class="scrub" min="0" :max="length || 1" step="0.01" :value="now" :aria-label="words.position"
          :aria-valuetext="clock(now)" :style="{ '--done': 100 * now / (length || 1) + '%' }" @input="seek(Number($event.target.value))" />
        <span class="numbers player-time">{{ clock(now) }} / {{ clock(length) }}</span>
        <button type="button" class="round-button" :aria-label="muted ? words.unmute : words.mute" @click="mute">
          <i class="material-symbols-outlined" aria-hidden="true">{{ muted ? "volume_off" : "volume_up" }}</i>
        </button>
      </div>
    </div>
  `,
  data: () => ({ playing: false, now: 0, length: 0, muted: false, missing: false, frame: 0 }),
  mounted() {
    if (this.autoplay) this.toggle();
  },
  unmounted() {
    cancelAnimationFrame(this.frame);
  },
  methods: {
    toggle() {
      const output = this.$refs.output;
      if (output.paused) output.play().catch(() => {});
      else output.pause();
    },
    play() {
      this.playing = true;
      cancelAnimationFrame(this.frame);
      const step = () => {
        this.follow();
        if (this.playing) this.frame = requestAnimationFrame(step);
      };
      step();
    },
    pause() {
      this.playing = false;
      this.$refs.source?.pause();
    },
    // Brings the source to where the output is; behind its own end it waits at its last picture.
    follow() {
      const output = this.$refs.output;
      const source = this.$refs.source;
      if (!output) return;
      this.now = output.currentTime;
      if (!source || !source.duration) return;
      const wanted = Math.min(this.now, source.duration);
      const isOver = this.now >= source.duration;
      if (Math.abs(source.currentTime - wanted) > (this.playing ? DRIFT_SECONDS : 0.01) && !source.seeking) source.currentTime = wanted;
      if (this.playing && !isOver && source.paused) source.play().catch(() => {});
      if ((!this.playing || isOver) && !source.paused) source.pause();
    },
    seek(seconds) {
      this.$refs.output.currentTime = seconds;
      this.follow();
    },
    mute() {
      this.muted = !this.muted;
      this.$refs.output.muted = this.muted;
    },
    clock(seconds) {
      const whole = Math.floor(seconds || 0);
      return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
    },
  },
};
