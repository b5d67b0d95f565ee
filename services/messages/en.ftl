# The messages of errors in English. The id is the error's code, a { $variable } one of its values.
# A message is for the person who sent the file: it names the file or thing, and says what to do.
# The same ids and variables stand in zh.ftl; tests/unit/test_error_messages.py holds both and the code together.

# What another version, or another program, has said in its own words.
as-told = { $text }

## media: what is wrong with a file

file-gone = { $name } is not there any more: upload it again
file-empty = { $name } is empty: choose a file with content
file-damaged = { $name } is incomplete or damaged: copy or upload the whole file again
not-a-recording = { $name } is not a video, audio or picture file: use MP4, MOV, MKV, WAV, MP3, JPEG or PNG
heif-picture = { $name } is a HEIF or AVIF picture: save it as JPEG or PNG
nothing-can-be-decoded = { $name } holds neither pictures nor sound that can be decoded: choose another file
only-sound = { $name } has no pictures, only sound: choose a video or a photo
picture-cannot-be-decoded = { $name } has no picture that can be decoded: convert it to H.264 in an MP4
picture-size = { $name } is { $width } x { $height } pixels: Chorus takes { $least } to { $limit } a side, scale it first
video-cannot-be-decoded = { $name } cannot be decoded: convert it to H.264 in an MP4
frames-unusable = { $name } says nothing usable about its frames: convert it to MP4
sound-cannot-be-decoded = { $name } has no sound that can be decoded: choose a recording of speech
sound-cannot-be-mixed = { $name } has { $channels } that cannot be mixed: convert it to mono or stereo
no-frame-rendered = { $name }: no frame was rendered

## storage

storage-full = No space is left to store { $name }: free disk space and try again
nothing-stored = There is no file under { $key }
store-failed = The artifact store failed at { $key }: { $reason }

## triton

model-not-served = Triton at { $address } does not serve { $model }: { $reason }
model-overloaded = Triton did not answer within { $seconds } s: the model { $model } is overloaded
model-failed = The model { $model } failed on Triton: { $reason }
model-output-missing = The model { $model } gave no output { $output }

## gRPC

cannot-listen = Cannot listen on { $address }: the address is taken or not of this host
service-unreachable = { $service } does not answer: is it running? ({ $reason })
service-too-slow = { $service } did not answer in time
call-failed = The call to { $service } failed: { $reason } ({ $status })
service-failed = The service failed; its log says why

## jobs

job-failed = The job failed unexpectedly: the worker's log says why
worker-died = The worker died each time it rendered this video: look into its log, then retry the job

## library

preflight-failed = Looking into { $name } failed: the log says why

## gateway: the doors

invalid-request = { $problems }
request-refused = { $method } { $path }: { $reason }
gateway-failed = The gateway failed; its log says why
