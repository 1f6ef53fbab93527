// One path for every source: a MediaStream that the page shows and sends. Where live video is blocked, pictures instead.

import * as api from './api.js';

const CONNECT_MS = 8000;
const GATHER_MS = 2000;
const RETRIES = 2;
const STEADY_MS = 60_000; // a connection that lasted so long earns its retries anew
const PICTURE_MS = 1000;
const PICTURE_SIDE = 640;
const SENT_SIDE = 1280; // a clip of any size is sent at most this large
const SENT_FPS = 15;

export class SourceError extends Error {} // message: a key of the catalogue

const CAMERA = { video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 15, max: 30 } }, audio: false };
const SCREEN = { video: { width: { max: 1280 }, height: { max: 1280 }, frameRate: { ideal: 10, max: 15 } }, audio: false };

// Starts the source in `video` and returns its MediaStream.
export async function openSource(kind, video, clipAddress) {
  if (kind === 'camera' || kind === 'screen') return openDevice(kind, video);
  return openClip(video, clipAddress);
}

async function openDevice(kind, video) {
  const devices = navigator.mediaDevices;
  if (!devices) throw new SourceError('error_camera_insecure');
  let stream;
  try {
    stream = kind === 'camera' ? await devices.getUserMedia(CAMERA) : await devices.getDisplayMedia(SCREEN);
  } catch (error) {
    throw new SourceError(kind === 'screen' ? 'error_screen_refused' : cameraFault(error));
  }
  video.removeAttribute('src');
  video.srcObject = stream;
  await video.play();
  return stream;
}

function cameraFault(error) {
  if (error.name === 'NotFoundError' || error.name === 'OverconstrainedError') return 'error_camera_missing';
  return error.name === 'NotReadableError' ? 'error_camera_busy' : 'error_camera_refused';
}

async function openClip(video, address) {
  video.srcObject = null;
  video.src = address;
  video.loop = false;
  video.muted = true;
  try {
    await video.play();
  } catch {
    throw new SourceError('error_clip');
  }
  if (!video.videoWidth) throw new SourceError('error_clip_sound');
  if (video.captureStream) return video.captureStream();
  return video.mozCaptureStream ? video.mozCaptureStream() : throughCanvas(video);
}

function throughCanvas(video) { // Safari cannot capture a video element
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const pen = canvas.getContext('2d');
  const timer = setInterval(() => pen.drawImage(video, 0, 0), 66);
  for (const end of ['ended', 'emptied']) video.addEventListener(end, () => clearInterval(timer), { once: true });
  return canvas.captureStream(15);
}

// Sends a stream to a session until closed; `onMode` hears 'live', 'reconnecting' and 'pictures', `onVoice` the assistant's track.
export class Sender {
  constructor(id, stream, video, { onMode, onVoice, microphone }) {
    Object.assign(this, { id, stream, video, onMode, onVoice, microphone, tries: 0, closed: false });
    this.connect();
  }

  async connect() {
    try {
      await this.offerLive();
      this.since = Date.now();
      this.onMode('live');
    } catch {
      this.hangUp();
      if (!this.closed) this.fallBack();
    }
  }

  async offerLive() {
    const pc = this.pc = new RTCPeerConnection(await api.relay());
    const track = this.stream.getVideoTracks()[0];
    if ('contentHint' in track) track.contentHint = 'detail'; // keep the resolution: text must stay legible
    const side = Math.max(this.video.videoWidth, this.video.videoHeight);
    const sendEncodings = [{ scaleResolutionDownBy: Math.max(1, side / SENT_SIDE), maxFramerate: SENT_FPS }];
    pc.addTransceiver(track, { direction: 'sendonly', streams: [this.stream], sendEncodings });
    this.audio = pc.addTransceiver((!this.held && this.microphone) || 'audio', { direction: 'sendrecv' }); // both ways, whoever speaks first
    pc.ontrack = (event) => event.track.kind === 'audio' && this.onVoice(event.track);
    pc.createDataChannel('text'); // the server reads frames once it is open
    await pc.setLocalDescription(await pc.createOffer());
    await gathered(pc);
    const name = `c${Date.now().toString(36)}`;
    await pc.setRemoteDescription(await api.offer(this.id, name, pc.localDescription.sdp));
    await connected(pc);
    pc.onconnectionstatechange = () => this.watchOver(pc);
  }

  watchOver(pc) {
    if (this.closed || pc !== this.pc || pc.connectionState !== 'failed') return;
    this.hangUp();
    if (Date.now() - this.since > STEADY_MS) this.tries = 0;
    if (this.tries++ < RETRIES) { this.onMode('reconnecting'); this.connect(); } else this.fallBack();
  }

  fallBack() {
    this.onMode('pictures');
    const canvas = document.createElement('canvas');
    this.timer = setInterval(() => this.sendPicture(canvas), PICTURE_MS);
  }

  async sendPicture(canvas) {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width || this.sending || this.held) return;
    const scale = Math.min(1, PICTURE_SIDE / Math.max(width, height));
    [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
    canvas.getContext('2d').drawImage(this.video, 0, 0, canvas.width, canvas.height);
    this.sending = true;
    try {
      const blob = await new Promise((done) => { canvas.toBlob(done, 'image/jpeg', 0.85); });
      if (!this.closed) await api.picture(this.id, blob);
    } catch { /* the event stream tells when the server is gone */ } finally { this.sending = false; }
  }

  // While paused nothing leaves the page: a camera sends black, pictures and the microphone stop.
  hold(paused) {
    this.held = paused;
    this.stream.getVideoTracks().forEach((track) => { track.enabled = !paused; });
    this.sendMicrophone();
  }

  // The microphone's track, or null for none; the connection stays as it is.
  hear(track) {
    this.microphone = track;
    this.sendMicrophone();
  }

  sendMicrophone() { if (this.audio && this.pc) this.audio.sender.replaceTrack(this.held ? null : this.microphone); }

  hangUp() { if (this.pc) this.pc.close(); this.pc = null; }

  close() {
    this.closed = true;
    clearInterval(this.timer);
    this.hangUp();
    if (this.video.srcObject) this.stream.getTracks().forEach((track) => track.stop()); // a camera's light goes out
  }
}

function gathered(pc) {
  if (pc.iceGatheringState === 'complete') return Promise.resolve();
  return Promise.race([
    new Promise((done) => { pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && done(); }),
    new Promise((done) => { setTimeout(done, GATHER_MS); }),
  ]);
}

function connected(pc) {
  return new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error('slow')), CONNECT_MS);
    const look = () => {
      if (pc.connectionState === 'connected') { clearTimeout(timer); done(); }
      if (pc.connectionState === 'failed' || pc.connectionState === 'closed') { clearTimeout(timer); fail(new Error('failed')); }
    };
    pc.onconnectionstatechange = look;
    look();
  });
}
