# The messages of errors in English. The id is the error's code, a { $variable } one of its values.
# A message is for the person who sent the file: it names the file or thing, and says what to do.
# The same ids and variables stand in zh.ftl; tests/unit/test_error_messages.py holds both and the code together.

# What another version, or another program, has said in its own words.
as-told = { $text }

## media: what is wrong with a file

file-gone = { $name } is not there any more: upload it again
file-empty = { $name } is empty: choose a file with content
file-damaged = { $name } is incomplete or damaged: copy or upload the whole file again
not-a-recording = { $name } is not a video, audio or picture file: use MP4, MOV, MKV, WAV, MP3, JPEG, PNG or HEIC
nothing-can-be-decoded = { $name } holds neither pictures nor sound that can be decoded: choose another file
only-sound = { $name } has no pictures, only sound: choose a video or a photo
picture-pixels = { $name } has { $millions } million pixels: Chorus takes photos of up to { $limit } million, scale it first
picture-cannot-be-decoded = { $name } has no picture that can be decoded: convert it to H.264 in an MP4
picture-size = { $name } is { $width } x { $height } pixels: Chorus takes { $least } to { $limit } a side, scale it first
video-cannot-be-decoded = { $name } cannot be decoded: convert it to H.264 in an MP4
frames-unusable = { $name } says nothing usable about its frames: convert it to MP4
sound-cannot-be-decoded = { $name } has no sound that can be decoded: choose a recording of speech
sound-cannot-be-mixed = { $name } has { $channels } that cannot be mixed: convert it to mono or stereo
no-frame-rendered = { $name }: no frame was rendered

## storage

storage-full = No space is left to store { $name }: free disk space and try again
disk-full = The disk of a service is full: free disk space and try again
disk-low = The disk is nearly full: { $free } are left, and { $least } stay free for the videos that are being made. Delete what is no longer needed, or have the disk enlarged, and try again
disk-too-small = { $name } has { $size }, and of the { $free } that are left on the disk { $least } stay free for the videos that are being made: delete what is no longer needed, or have the disk enlarged, and try again
nothing-stored = There is no file under { $key }
store-failed = The artifact store failed at { $key }: { $reason }

## triton

model-not-served = Triton at { $address } does not serve { $model }: { $reason }
model-overloaded = Triton did not answer within { $seconds } s: the model { $model } is overloaded
model-failed = The model { $model } failed on Triton: { $reason }
model-answer-differs = The model { $model } gave { $given } where { $wanted } was expected: import it again
model-output-missing = The model { $model } gave no output { $output }

## gRPC

cannot-listen = Cannot listen on { $address }: the address is taken or not of this host
tls-unusable = { $files } cannot be used for TLS ({ $reason }): give PEM files that belong together, the key without a passphrase
service-unreachable = { $service } does not answer: is it running? ({ $reason })
service-too-slow = { $service } did not answer in time
call-failed = The call to { $service } failed: { $reason } ({ $status })
service-failed = The service failed; its log says why

## jobs

job-failed = The job failed unexpectedly: the worker's log says why
worker-died = The worker died each time it rendered this video: look into its log, then retry the job
job-unknown = There is no job { $job }
job-not-retryable = Job { $job } cannot be retried now: look at its state
render-stalled = Rendering { $name } made no progress for { $seconds } s
render-killed = The render process of { $name } was killed ({ $signal }), perhaps because this machine ran out of memory
render-ended = The render process of { $name } ended unexpectedly (code { $exit_code }): its log says why
render-silent = The render process of { $name } stopped talking
render-answer-unusable = The render process of { $name } said something unknown
database-silent = The database does not answer: try again in a moment
database-full = No space is left for the database: free disk space and try again
database-unusable = The database cannot be used ({ $reason }): is its disk full, or its folder not to be written to?
value-unusable = A value holds a character or a number that the database cannot keep: leave it out
database-in-use = Another worker uses the SQLite database { $database } (several workers need PostgreSQL): stop it first
scratch-in-use = Another worker uses the scratch folder { $folder } (CHORUS_SCRATCH): stop it first

## library

preflight-failed = Looking into { $name } failed: the log says why
too-large = { $name } is larger than the limit of { $limit }
kind-unusable = { $name } is of no kind that can be used: choose one of { $kinds }
probe-failed = { $name } cannot be read: it is damaged, or of a kind that FFmpeg does not know
probe-needs-too-much = { $name } takes more memory than one file may: make its picture smaller
probes-died = Looking into { $name } broke off twice: upload it again
retention-days = Things are kept for { $least } to { $most } days, or with 0 until somebody deletes them: give one of these
media-unknown = There is no upload { $media }: upload the file first
media-in-use =
    { $name } is needed by { $jobs ->
        [one] { $jobs } unfinished job: cancel it or wait for it
       *[other] { $jobs } unfinished jobs: cancel them or wait for them
    }
no-thumbnail = { $name } has no picture
not-in-store = { $name } is no longer in the store
no-picture-to-search = { $name } has no picture: there is no face to look for
preflight-not-started = Nobody has asked yet for the faces of { $name }: start it
preflights-waiting = { $number } videos wait to be looked into: try again in a while
analysis-broke-off = The analysis of { $name } ended early: try again
upload-unknown = There is no upload { $upload }, or it has expired: send the file again
uploads-unfinished = { $limit } of your uploads are unfinished: finish or remove some before { $name }
upload-not-there = The upload does not go on at byte { $offset }: ask where
upload-unfinished = { $missing } bytes of { $name } are missing: go on with the upload
nothing-finished = None of these videos is finished yet: wait for one
job-unfinished = { $name } is { $state }: cancel it first
no-output = { $name } is { $state }: there is no output

## gateway: the doors

invalid-request = { $problems }
request-refused = { $method } { $path }: { $reason }
gateway-failed = The gateway failed; its log says why
batch-unknown = There is no batch { $batch }
batch-size = A batch takes 1 to { $limit } videos, not { $number }: split it
idempotency-key-too-long = An idempotency key has at most { $limit } letters: take a shorter one
face-rank-too-high = The rank of a face is at most { $limit }: choose one of the faces that were found
list-offset-too-large = A list can be entered at item { $limit } at most: narrow it down instead
queue-full = So many jobs wait ({ $limit } at most) that no further one is taken: try again when some are done
owner-queue-full = So many of your jobs wait or run ({ $limit } at most): try again when some are done
owner-bytes-full = { $name } does not fit: your files take { $used } of { $limit }. Delete what you no longer need
too-many-ids = One call takes at most { $limit } ids, not { $number }: split it
face-without-video = A face is chosen for { $media }, which is no video here
no-sound = { $name } has no sound: choose a recording of speech
no-picture = { $name } has no picture: choose a video or a photo
media-deleted = { $name } was deleted: upload it again and make a new batch
idempotency-key-used = The idempotency key { $key } was used for another batch: take a new one
job-ended = { $name } has { $state } already: there is nothing to cancel
job-not-failed = { $name } is { $state }: only failed and cancelled jobs can be retried
priority-unknown = There is no priority { $priority }; choose one of { $choices }
state-unknown = There is no state { $state }; choose one of { $choices }
no-worker = No worker takes jobs, { $jobs } wait: it is being started again, or look into its log
models-loading = Triton is still loading its models
no-common-log = This installation keeps no common log (CHORUS_LOG_FILE is not set): look into the logs of its processes, on Kubernetes with kubectl logs
upload-busy = Another request goes on with { $name }
upload-elsewhere = { $name } goes on at byte { $offset }, not { $given }
upload-too-long = { $name } is longer than the { $length } bytes announced
upload-being-finished = { $name } is still being looked into: ask again in a moment
upload-in-too-many-pieces = The upload has come in more than { $limit } pieces: send larger ones
upload-silent = { $name }: nothing came for { $seconds } s
upload-broke-off = The upload of { $name } broke off: go on with it
upload-cut-off = The upload of { $name } was cut off: send it again
upload-of-another = { $name } is being uploaded by somebody else
upload-purpose-unknown = An upload is for { $choices }, and not for { $purpose }
upload-metadata-unusable = Upload-Metadata: { $key } is not base64 of UTF-8
upload-place-first = The first message of AppendUpload, and no other, tells upload_id and offset
offset-too-large = { $name } has { $bytes } bytes: it cannot be sent from byte { $offset } on
form-unusable = The upload is not a valid multipart form: { $reason }
form-without-boundary = The multipart form has no boundary in its Content-Type
form-without-file = The form has no file in a field named file

## preprocess: faces and speech

no-face = No face was found in { $name }: choose a video that shows one, large enough and from the front
face-not-there =
    { $name } shows at most { $most ->
        [one] { $most } face
       *[other] { $most } faces
    } at once: choose a face from 0 to { $last }
too-long = { $name } is { NUMBER($minutes, minimumFractionDigits: 1, maximumFractionDigits: 1) } minutes long; the limit is { $limit } minutes: cut it
analysis-failed = The analysis of { $name } failed; preprocess's log says why
service-silent = { $service } sent nothing for { $seconds } s: its log may say why
preprocess-older = preprocess is of an older release and knows no nets of families: the job waits until it has been replaced
preprocess-differs = preprocess sent a message of an unknown kind: its version differs
extend-unknown = extend is { $extend }: use one of { $choices }
crop-unusable = crop needs an extent above 0 and ascending sizes of up to { $limit }
frame-count-unusable = frame_count must be 1 or more
net-unusable = The net { $model } cannot be asked: it needs a name, an identity, sides and rows in bounds, landmarks, and crops with pixels

## render

family-unknown = There is no family { $family }; choose one of { $choices }
family-broken = The family { $family } does not work: { $reason }
render-needs-too-much = Rendering { $name } takes more memory than one video may: make its picture smaller
render-failed = Rendering { $name } failed unexpectedly: the log says more at job { $job }
frames-missing = { $name }: only { $written } of { $count } frames were rendered
speech-missing = preprocess ended its stream before the speech: its log may say why
track-not-introduced = Faces of track { $track } came without an introduction

## importing: `chorus models import`, and the doors

import-no-file = { $name } is not a file: give the path of a checkpoint
import-size = { $name } has { $size } bytes: a checkpoint has 64 bytes to { $most } MiB. A MuseTalk is imported as a whole folder, by `chorus models import FOLDER` at the machine
import-unknown-format = { $name } is no checkpoint that Chorus knows: give a PyTorch (.pth), TorchScript, safetensors or ONNX file. A MuseTalk is imported as a whole folder, by `chorus models import FOLDER` at the machine
import-damaged = { $name } is incomplete or damaged ({ $reason }): copy or download the whole file again
import-unsafe = { $name } holds more than weights (it asks for { $reason }) and could run a program: it is refused. Save its state_dict alone
import-packed = { $name } claims to hold more than its size allows, as no program for training writes it: it is refused
import-greedy = Reading { $name } took more memory or time than any lip-sync net needs: it is refused
import-no-tensors = { $name } holds no named weights: save the net's state_dict
import-not-finite = { $name } has numbers that are infinite or not a number in { $key }: its training failed, take an earlier checkpoint
import-discriminator = { $name } is the discriminator of a training: choose the generator's checkpoint
import-syncnet = { $name } is a SyncNet, which judges lips and makes none: choose a Wav2Lip's checkpoint
import-another-net = { $name } is no Wav2Lip (it has { $key }): choose a Wav2Lip's checkpoint
import-sam-fork = { $name } is of a fork with attention (SAM) or audio_refine, which its weights alone do not explain: export it to ONNX with its own code and import that
import-no-norm-fork = { $name } is of a fork without batch norm, which its weights alone do not explain: export it to ONNX with its own code and import that
import-tensor-missing = { $name } looks like a Wav2Lip, but { $key } is missing: export it to ONNX with its own code and import that
import-tensor-shape = { $name } looks like a Wav2Lip, but { $key } is { $found } and not { $wanted }: export it to ONNX with its own code and import that
import-tensor-unknown = { $name } looks like a Wav2Lip, but has { $count } tensors more, as { $key }: export it to ONNX with its own code and import that
import-layers = { $name } looks like a Wav2Lip, but its layers do not fit together at { $part }: export it to ONNX with its own code and import that
import-musetalk-part = { $name } is one part of a MuseTalk: import the whole folder that holds musetalkV15, sd-vae and whisper, by `chorus models import FOLDER` at the machine
import-musetalk-first = { $name } holds MuseTalk 1.0 ({ $path }), whose mouths are cut and placed in another way: take the UNet of 1.5 (musetalkV15/unet.pth)
import-folder-lacks = { $name } is no whole MuseTalk 1.5, { $part } is missing: the folder needs musetalkV15, sd-vae and whisper, each with its config and its weights
import-folder-twice = { $name } has more than one { $part } ({ $places }): leave one of them there
import-folder-link = { $name }/{ $path } is a link that leads out of the folder, and { $part } is missing without it: copy the files themselves into the folder (huggingface-cli download --local-dir)
import-folder-crowded = { $name } holds more than { $most } files: give the folder of the MuseTalk alone
import-config-unreadable = { $name } is no config ({ $reason }): download it again
import-config-differs = { $name } is not what it should be: its config says { $key } = { $found }, and a MuseTalk 1.5 has { $wanted }
import-part-differs = { $name } does not fit its config: { $reason }. Download both again
import-part-inexact = { $name } cannot be served as it is: its { $part } would be off by { $found } of the largest number, { $most } may be
fewer-bits-not-here = { $name } is a MuseTalk, which is for GPUs and is served in 16 bits already: import it without --calibrate
import-onnx-opset = { $name } is of ONNX opset { $found }: export it again with { $least } or later
import-onnx-operators = { $name } needs operators of its own ({ $domain }): export it with standard operators
import-onnx-branches = { $name } has loops or branches ({ $operators }), which no Wav2Lip needs: export it without them
import-onnx-external = { $name } keeps weights in other files: save it as one file
import-onnx-shapes = { $name } is no Wav2Lip: that takes (n, 1, 80, 16) and (n, 6, side, side) and gives one picture, this has { $found }
import-onnx-side = { $name } takes faces of no side that is known ({ $sides } pixels): export it with a fixed one
import-cannot-run = { $name } does not run: { $reason }
import-no-picture = { $name } gives no picture of its face's size: it is no Wav2Lip
import-deaf = { $name } gives the same picture for different sounds: it is no trained Wav2Lip
import-differs = { $name } cannot be served as it is: what would be served differs by { $steps } of 255 levels, { $most } may be
import-lacks = Importing needs the package { $package }: pip install 'chorus[import]', for a MuseTalk 'chorus[musetalk]'; in a checkout `make importer` or `make importer-musetalk`
import-failed = Importing { $name } failed: { $reason }
fewer-bits-no-footage = { $places } has no video with speech, which is what fewer bits are measured with: name videos that talk, or a folder of them
fewer-bits-no-faces = no face shows its mouth in the footage
fewer-bits-few-pairs = the footage shows { $found } faces with their sound, { $least } are needed: give more of it
fewer-bits-impossible = { $name } cannot be computed in fewer bits: { $reason }
fewer-bits-show = with { $engine } the mouths of { $name } would change: { $psnr } dB from floats where { $least_psnr } are needed, and what the sound moves agrees by r { $agreement } where { $least_agreement } is needed
fewer-bits-slow = with { $engine } { $name } would be { $gain } times as fast, and less than { $least } is not worth it
import-busy = Another import or removal is at work in { $folder }: wait for it
import-name-unusable = { $name } is no name for a family: use a to z, digits, - and _, at most 40
import-name-taken = The name { $name } is taken: give another one, or remove that family first
import-unknown = No family { $name } was imported: the list of models has them
import-not-taken = Triton at { $address } did not take { $name }, and the import is undone: { $reason }
import-switched-off = Importing and removing models through the doors is switched off here (CHORUS_MODEL_IMPORT): use `chorus models` at the machine
import-no-folder = The api has no folder of imported models here: run `chorus models import` where Triton's model repository can be written, or give the api that folder as CHORUS_FAMILIES
import-folder-closed = The api cannot write to { $folder }: run `chorus models import` where Triton's model repository can be written, or let the api write there
import-abandoned = The process that was importing has ended: begin the import again, the upload is still there
import-broke-off = The import was broken off: the log says more. Begin it again
import-too-slow = The import took longer than { $seconds } s, and was ended
import-not-there = There is no import { $id }
import-ended = The import of { $name } has ended already: { $state }
models-too-many = { $limit } models are imported already: remove one first
imports-waiting = { $number } imports are waiting: come again when some have ended
upload-is-model = { $name } was uploaded to be imported as a model, and is no recording
upload-is-media = { $name } was not uploaded as a model: begin the upload with the purpose model
bench-not-imported = { $name } was not imported: only families of `chorus models import` can be measured, `make bench` measures the default one
import-not-loaded = The running Triton at { $address } did not take { $name }: { $reason }. Start Chorus or Triton again

## access: who may come in

login-needed = Log in, or send the header Authorization: Bearer <token>
login-wrong = The name or the password is wrong
too-many-logins = Too many tries to log in: wait a minute
too-many-requests = Too many requests: wait a minute
body-too-large = The body of the request is larger than { $limit } bytes: only files may be
too-many-uploads = Too many uploads are being looked into: try again in a moment
too-many-followers = Too many people follow the log: close it somewhere, or read its end instead
client-silent = Nothing came for { $seconds } s: the call was ended, begin it again
message-missing = The call ended without its message: send one
message-unreadable = What was sent is not the message of this call: is the client made from another .proto?
too-many-calls = Too many calls are open: end some, or try again in a moment
service-stopping = The server is stopping: begin again, on another one
host-unknown = Chorus is not known as { $host }: use localhost, or add it to CHORUS_ALLOWED_HOSTS
foreign-origin = Another web site has sent this request: open Chorus itself
lock-needed = CHORUS_HOST={ $host } opens Chorus to the network, where it does not start without a lock. Set CHORUS_USERS to a file and add users to it (chorus user add NAME), or set CHORUS_TOKEN, or both
token-too-short = CHORUS_TOKEN needs { $least } characters or more
no-users = { $file } (CHORUS_USERS) has no users: chorus user add NAME
users-unreadable = { $file } (CHORUS_USERS) cannot be read: { $reason }
token-unusable = { $name } cannot be a token: take letters, digits and . - _ for its name, and an end within { $most } days
token-taken = There is a token { $name } already: remove it first, or take another name
token-unknown = There is no token { $name }
tokens-too-many = There are { $limit } tokens already: remove some first
user-unknown = There is no user { $name } in { $file }
user-name-unusable = { $name } is no name for a user: use letters, digits and . @ + - _
password-too-short = A password needs { $least } characters or more
oidc-away = The provider { $issuer } does not answer ({ $reason }): try again, or log in with a password
oidc-refused = The provider's answer cannot be used ({ $reason }): begin again
oidc-no-role = { $name } has no role here: ask an administrator of this installation
oidc-name-taken = { $name } has a password here: log in with it
oidc-logout-refused = The token does not say that somebody has logged out ({ $reason })
oidc-logout-repeated = The logout token has been obeyed already
oidc-none = Nobody logs in elsewhere here
oidc-not-installed = CHORUS_OIDC_ISSUER needs the extra [oidc] of this package: { $reason }
session-ended = You are logged in no more: log in again
role-needed = This takes the role { $role }, yours is { $own }: ask an administrator of this installation
token-needed = Send the metadata authorization: Bearer <token>, with the token of CHORUS_TOKEN

## local: the stack on one machine

stack-already-running = Chorus already runs on { $folder } at { $address } (process { $process }); stop it first, or set CHORUS_HOME to another folder
stack-starting-or-stopping = Chorus already runs on { $folder } and is just starting or stopping; stop it first, or set CHORUS_HOME to another folder
stack-not-started =
    Chorus did not start:
    { $output }
port-taken = Port { $port } is taken by another program: choose one with --port, or --port 0
no-free-port = This machine has no free TCP port between 20000 and 32000
no-models = There are no models in { $folder }
process-not-started = { $process } cannot be started: { $reason }
process-ended-early =
    { $process } { $ending } at its start. Its last lines:
    { $lines }
process-not-ready =
    { $process } was not ready within { $seconds } s. Its last lines:
    { $lines }
triton-unusable = The Triton at CHORUS_TRITON_URL={ $address } does not answer or lacks one of these models: { $models }
triton-no-engine = The embedded Triton's ONNX Runtime does not load: { $reason }. Remove its folder and install it again: { $command }
engine-no-gpu = CHORUS_MODEL_ENGINE={ $engine } needs an NVIDIA GPU, and nvidia-smi shows none here: set it to auto or cpu, or mend the driver
triton-not-installed = Triton is not installed in { $folder }: run `{ $command }`
triton-install-failed =
    Installing Triton failed at `{ $command }`:
    { $lines }
libpython-missing = { $library } is missing, Triton's Python backend needs it: `apt install { $package }` on Debian and Ubuntu
platform-unusable = The embedded Triton needs Linux on x86-64, this is { $system } on { $machine }: set CHORUS_TRITON_URL to the host:port of a Triton elsewhere
glibc-too-old = The embedded Triton needs glibc { $needed } or newer, here is { $found }: set CHORUS_TRITON_URL to the host:port of a Triton elsewhere

## cli: `chorus run`

folder-not-made = The folder { $folder } cannot be made: { $reason }
file-unreadable = { $file } cannot be read: { $reason }
chorus-gone = Chorus does not answer any more: { $reason }
call-broke-off =
    { $call ->
        [upload] The upload of { $file }
        [download] The download
        [cancel] Cancelling
       *[other] The request to Chorus
    } broke off: { $reason }
answer-unusable = { $address } answered { $status }: { $text }
