// The microphone of one stage: on and off, its meter, and a key that has to be held. While it is not held nothing leaves the page.

import { current, t } from './words.js';

const WISHES = { audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 } };
const METER_MS = 80;

let listening = null; // one microphone a page: two sessions would answer the same sentence

export class Microphone {
  constructor(root, hears, { tell, changed, released }) {
    const find = (name) => root.querySelector(`.jv-${name}`);
    Object.assign(this, { hears, tell, changed, released, track: null, opening: false,
      button: find('mic'), meter: find('meter'), talkButton: find('talk'), hold: find('hold').querySelector('input') });
    this.button.onclick = () => this.toggle();
    this.hold.onchange = () => this.gate();
    const key = (event) => !event.key || event.key === 'Enter' || event.key === ' ';
    for (const start of ['pointerdown', 'keydown']) this.talkButton.addEventListener(start, (event) => key(event) && this.talk(true));
    for (const end of ['pointerup', 'pointerleave', 'keyup', 'blur']) this.talkButton.addEventListener(end, () => this.talk(false));
    addEventListener('blur', () => this.talk(false)); // a key released in another window is never heard of
    document.addEventListener('visibilitychange', () => document.hidden && this.talk(false));
  }

  async toggle() {
    if (this.track) return this.close();
    if (this.opening) return undefined;
    if (!this.hears.name) return this.tell(t('error_deaf'));
    if (!navigator.mediaDevices) return this.tell(t('error_mic_insecure'));
    this.opening = true;
    try {
      const stream = await navigator.mediaDevices.getUserMedia(WISHES);
      try { this.open(stream); } catch (error) { stream.getTracks().forEach((track) => track.stop()); throw error; }
    } catch (error) {
      this.tell(t(fault(error)));
    }
    this.opening = false;
    return undefined;
  }

  open(stream) {
    const [track] = stream.getAudioTracks();
    this.measure(stream);
    if (listening && listening !== this) listening.close();
    listening = this;
    Object.assign(this, { stream, track });
    track.addEventListener('ended', () => { if (this.track === track) { this.close(); this.tell(t('error_mic_lost')); } });
    if (!this.hears.languages.includes(current())) this.tell(t('error_mic_language', { languages: this.hears.languages.join(', ') }));
    this.gate();
    this.changed(track);
  }

  close() {
    if (!this.track) return;
    clearInterval(this.measuring);
    this.ears.close();
    this.stream.getTracks().forEach((track) => track.stop());
    Object.assign(this, { track: null, stream: null, ears: null });
    this.changed(null);
    this.released();
    this.level(0);
    this.show();
  }

  gate() {
    if (this.track) this.track.enabled = !this.hold.checked;
    this.show();
  }

  talk(yes) {
    if (!this.track || !this.hold.checked || this.track.enabled === yes) return;
    this.track.enabled = yes;
    this.show();
    if (!yes) this.released();
  }

  measure(stream) {
    this.ears = new AudioContext();
    const analyser = this.ears.createAnalyser();
    analyser.fftSize = 1024;
    this.ears.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    this.measuring = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
      this.level(Math.min(100, Math.max(0, 100 + 20 * Math.log10(Math.sqrt(power) + 1e-5)))); // -100 dB to full scale
    }, METER_MS);
  }

  level(percent) {
    this.meter.firstElementChild.style.width = `${percent}%`;
    this.meter.setAttribute('aria-valuenow', String(Math.round(percent)));
  }

  show() {
    this.button.textContent = t(this.track ? 'mic_off' : 'mic_on');
    this.button.setAttribute('aria-pressed', String(Boolean(this.track)));
    this.meter.hidden = !this.track;
    this.talkButton.hidden = !this.track || !this.hold.checked;
    this.talkButton.setAttribute('aria-pressed', String(Boolean(this.track && this.hold.checked && this.track.enabled)));
  }
}

function fault(error) {
  if (error.name === 'NotFoundError' || error.name === 'OverconstrainedError') return 'error_mic_missing';
  return error.name === 'NotReadableError' ? 'error_mic_busy' : 'error_mic_refused';
}
