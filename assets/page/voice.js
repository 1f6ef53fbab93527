// Speech in and out of one stage: the microphone and its meter, the assistant's voice, mute, and who is being heard.

import { current, t } from './words.js';

const MICROPHONE = { audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 } };
const SPEEDS = [0.8, 1, 1.2, 1.5];
const NAMED = ['auto', 'none', 'browser'];
const METER_MS = 80;

export class VoiceBar {
  constructor(root, page, { send, tell }) {
    const find = (name) => root.querySelector(`.jv-${name}`);
    Object.assign(this, { page, send, tell, mode: '', microphone: null, sender: null, muted: localStorage.getItem('joyvl-mute') === 'yes',
      mic: find('mic'), meter: find('meter'), talkButton: find('talk'), hold: find('hold').querySelector('input'), voices: find('voices'),
      speed: find('speed'), muteButton: find('mute'), hearing: find('hearing'), audio: root.querySelector('audio') });
    this.mic.onclick = () => this.toggle();
    this.muteButton.onclick = () => this.mute();
    this.hold.onchange = () => this.gate();
    for (const start of ['pointerdown', 'keydown']) this.talkButton.addEventListener(start, (event) => (!event.key || event.key === 'Enter') && this.talk(true));
    for (const end of ['pointerup', 'pointerleave', 'keyup', 'blur']) this.talkButton.addEventListener(end, () => this.talk(false));
    this.voices.onchange = () => { localStorage.setItem('joyvl-voice', this.voices.value); this.hush(); this.send({ voice: this.voices.value }); };
    this.speed.onchange = () => this.send({ speed: Number(this.speed.value) });
    this.label();
  }

  // Everything whose words change with the language.
  label() {
    const kept = this.voices.value || localStorage.getItem('joyvl-voice') || this.page.name;
    this.voices.replaceChildren(...this.page.offered.map((name) => new Option(NAMED.includes(name) ? t(`voice_${name}`) : name, name)));
    this.voices.value = this.page.offered.includes(kept) ? kept : this.page.name;
    const speed = this.speed.value || '1';
    this.speed.replaceChildren(...SPEEDS.map((value) => new Option(`${value}×`, value)));
    this.speed.value = speed;
    this.showMute();
    this.showMic();
  }

  wishes() { return { voice: this.voices.value, voiced: !this.muted, speed: Number(this.speed.value) }; }

  adjusted(event) {
    if (![...this.speed.options].some((option) => Number(option.value) === event.speed)) this.speed.add(new Option(`${event.speed}×`, event.speed));
    this.speed.value = String(event.speed);
  }

  // --- the assistant's voice ---------------------------------------------------------------------------------------

  play(track) {
    this.audio.srcObject = new MediaStream([track]);
    this.audio.muted = this.muted;
    this.audio.play().catch(() => this.tell(t('error_sound')));
  }

  // A voice of the server arrives by itself; where it cannot, and where the browser is to speak, the browser does.
  saying(event) {
    if (this.muted || !window.speechSynthesis || (event.voice !== 'browser' && this.mode !== 'pictures')) return;
    const words = new SpeechSynthesisUtterance(event.text);
    words.lang = /[\u3400-\u9fff]/.test(event.text) ? 'zh-CN' : 'en-US';
    words.rate = Number(this.speed.value);
    words.onend = () => event.voice === 'browser' && this.send({ action: 'ended_elsewhere' });
    speechSynthesis.speak(words);
  }

  hush() { if (window.speechSynthesis) speechSynthesis.cancel(); }

  mute() {
    this.muted = !this.muted;
    localStorage.setItem('joyvl-mute', this.muted ? 'yes' : 'no');
    this.audio.muted = this.muted;
    if (this.muted) this.hush();
    this.send({ voiced: !this.muted });
    this.showMute();
  }

  showMute() {
    this.muteButton.textContent = t(this.muted ? 'unmute' : 'mute');
    this.muteButton.setAttribute('aria-pressed', String(this.muted));
  }

  // --- the microphone ----------------------------------------------------------------------------------------------

  async toggle() {
    if (this.microphone) return this.close();
    if (!this.page.hears.name) return this.tell(t('error_deaf'));
    if (!navigator.mediaDevices) return this.tell(t('error_mic_insecure'));
    try {
      this.stream = await navigator.mediaDevices.getUserMedia(MICROPHONE);
    } catch (error) {
      return this.tell(t(fault(error)));
    }
    this.microphone = this.stream.getAudioTracks()[0];
    this.microphone.addEventListener('ended', () => { this.close(); this.tell(t('error_mic_lost')); });
    if (this.mode === 'pictures') this.tell(t('error_mic_blocked'));
    else if (!this.page.hears.languages.includes(current())) this.tell(t('error_mic_language', { languages: this.page.hears.languages.join(', ') }));
    this.measure();
    this.gate();
    if (this.sender) this.sender.hear(this.microphone);
    return undefined;
  }

  close() {
    clearInterval(this.measuring);
    if (this.ears) this.ears.close();
    if (this.stream) this.stream.getTracks().forEach((track) => track.stop());
    if (this.sender) { this.sender.hear(null); this.send({ action: 'finish_turn' }); }
    Object.assign(this, { microphone: null, stream: null, ears: null });
    this.level(0);
    this.showMic();
  }

  // While a key has to be held nothing leaves the page until it is.
  gate() {
    if (this.microphone) this.microphone.enabled = !this.hold.checked;
    this.showMic();
  }

  talk(yes) {
    if (!this.microphone || !this.hold.checked || this.microphone.enabled === yes) return;
    this.microphone.enabled = yes;
    this.talkButton.setAttribute('aria-pressed', String(yes));
    if (!yes) this.send({ action: 'finish_turn' });
  }

  measure() {
    this.ears = new AudioContext();
    const analyser = this.ears.createAnalyser();
    analyser.fftSize = 1024;
    this.ears.createMediaStreamSource(this.stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    this.measuring = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
      this.level(Math.max(0, 100 + 20 * Math.log10(Math.sqrt(power) + 1e-5)));
    }, METER_MS);
  }

  level(percent) {
    this.meter.firstElementChild.style.width = `${Math.min(100, percent)}%`;
    this.meter.setAttribute('aria-valuenow', String(Math.round(Math.min(100, percent))));
  }

  showMic() {
    this.mic.textContent = t(this.microphone ? 'mic_off' : 'mic_on');
    this.mic.setAttribute('aria-pressed', String(Boolean(this.microphone)));
    this.meter.hidden = !this.microphone;
    this.talkButton.hidden = !this.microphone || !this.hold.checked;
  }

  caption(text) { this.hearing.textContent = text ? `${t('you')}: ${text}` : ''; }

  // --- a session begins and ends -----------------------------------------------------------------------------------

  join(sender) { this.sender = sender; }

  leave() {
    Object.assign(this, { sender: null, mode: '' });
    this.audio.srcObject = null;
    this.hush();
    this.caption('');
  }
}

function fault(error) {
  if (error.name === 'NotFoundError' || error.name === 'OverconstrainedError') return 'error_mic_missing';
  return error.name === 'NotReadableError' ? 'error_mic_busy' : 'error_mic_refused';
}
