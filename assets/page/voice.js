// Speech in and out of one stage: the microphone and its meter, the assistant's voice, mute, and who is being heard.

import { Microphone } from './microphone.js';
import { keep as store, kept as stored, t } from './words.js';

const SPEEDS = [0.8, 1, 1.2, 1.5];
const NAMED = ['auto', 'none', 'browser'];

const bars = []; // mute is the page's: whichever tab is in view, it silences all

export class VoiceBar {
  constructor(root, page, { send, tell }) {
    const find = (name) => root.querySelector(`.jv-${name}`);
    Object.assign(this, { page, send, tell, mode: '', sender: null, chosenSpeed: 1, volume: 1, muted: stored('joyvl-mute') === 'yes',
      voices: find('voices'), speed: find('speed'), muteButton: find('mute'), hearing: find('hearing'), audio: root.querySelector('audio') });
    this.microphone = new Microphone(root, page.hears, { tell, changed: (track) => this.heardBy(track), released: () => this.sender && send({ action: 'finish_turn' }) });
    this.muteButton.onclick = () => this.mute();
    this.voices.onchange = () => { store('joyvl-voice', this.voices.value); this.hush(); this.send({ voice: this.voices.value }); };
    this.speed.onchange = () => { this.chosenSpeed = Number(this.speed.value); this.send({ speed: this.chosenSpeed }); };
    bars.push(this);
    this.label();
  }

  // Everything whose words change with the language.
  label() {
    const kept = this.voices.value || stored('joyvl-voice');
    this.voices.replaceChildren(...this.page.offered.map((name) => new Option(NAMED.includes(name) ? t(`voice_${name}`) : name, name)));
    this.voices.value = this.page.offered.includes(kept) ? kept : this.page.name;
    this.showSpeed();
    this.showMute();
    this.microphone.show();
  }

  wishes() { return { voice: this.voices.value, voiced: !this.muted, speed: this.chosenSpeed }; }

  // The user said "slower": a pace that is not among the usual ones is shown too.
  adjusted(event) { this.chosenSpeed = event.speed; this.volume = event.volume; this.showSpeed(); }

  showSpeed() {
    const speeds = [...new Set([...SPEEDS, this.chosenSpeed])].sort((a, b) => a - b);
    this.speed.replaceChildren(...speeds.map((value) => new Option(`${value}×`, value)));
    this.speed.value = String(this.chosenSpeed);
  }

  // --- the assistant's voice ---------------------------------------------------------------------------------------

  play(track) {
    this.audio.srcObject = new MediaStream([track]);
    this.audio.muted = this.muted;
    this.audio.play().catch((error) => error.name === 'NotAllowedError' && this.playWithTheNextClick());
  }

  playWithTheNextClick() {
    this.tell(t('error_sound'));
    for (const kind of ['pointerdown', 'keydown']) document.addEventListener(kind, () => this.audio.play().catch(() => {}), { once: true });
  }

  // A voice of the server arrives by itself; where it cannot, and where the browser is to speak, the browser does.
  saying(event) {
    if (this.muted || !window.speechSynthesis || (event.voice !== 'browser' && this.mode !== 'pictures')) return;
    const words = new SpeechSynthesisUtterance(event.text);
    words.lang = /[\u3400-\u9fff]/.test(event.text) ? 'zh-CN' : 'en-US';
    words.rate = this.chosenSpeed;
    words.volume = Math.min(1, this.volume); // a browser's own voice is not louder than it is
    words.onend = () => event.voice === 'browser' && this.send({ ended: event.number });
    speechSynthesis.speak(words);
  }

  hush() { if (window.speechSynthesis) speechSynthesis.cancel(); }

  mute() {
    const muted = !this.muted;
    store('joyvl-mute', muted ? 'yes' : 'no');
    if (muted) this.hush();
    bars.forEach((bar) => bar.beMuted(muted));
  }

  beMuted(muted) {
    this.muted = this.audio.muted = muted;
    this.send({ voiced: !muted });
    this.showMute();
  }

  showMute() {
    this.muteButton.textContent = t(this.muted ? 'unmute' : 'mute');
    this.muteButton.setAttribute('aria-pressed', String(this.muted));
  }

  // --- the user's --------------------------------------------------------------------------------------------------

  heardBy(track) {
    if (track && this.mode === 'pictures') this.tell(t('error_mic_blocked'));
    if (this.sender) this.sender.hear(track);
  }

  caption(text) { this.hearing.textContent = text ? `${t('you')}: ${text}` : ''; }

  // --- a session begins and ends -----------------------------------------------------------------------------------

  join(sender) { this.sender = sender; }

  connected(mode) {
    this.mode = mode;
    if (mode === 'pictures' && this.microphone.track) this.tell(t('error_mic_blocked'));
  }

  // Nobody listens any more: the microphone is let go.
  leave() {
    Object.assign(this, { sender: null, mode: '' });
    this.microphone.close();
    this.audio.srcObject = null;
    this.hush();
    this.caption('');
  }
}
