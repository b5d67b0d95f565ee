# 错误信息的中文文本。编号与变量须与 en.ftl 一致。

as-told = { $text }

## media：文件本身的问题

file-gone = “{ $name }”已经不在了。请重新上传。
file-empty = “{ $name }”是空的。请选择有内容的文件。
file-damaged = “{ $name }”不完整或已损坏。请重新复制或上传整个文件。
not-a-recording = “{ $name }”不是视频、音频或图片文件。请使用 MP4、MOV、MKV、WAV、MP3、JPEG、PNG 或 HEIC。
nothing-can-be-decoded = “{ $name }”里没有可以解码的画面或声音。请选择别的文件。
only-sound = “{ $name }”只有声音，没有画面。请选择视频或照片。
picture-pixels = “{ $name }”有 { $millions } 百万像素，照片最多 { $limit } 百万像素。请先缩小。
picture-cannot-be-decoded = “{ $name }”的画面无法解码。请转换为 H.264 编码的 MP4。
picture-size = “{ $name }”的尺寸是 { $width } × { $height } 像素，每边应为 { $least } 到 { $limit } 像素。请先缩放。
video-cannot-be-decoded = “{ $name }”无法解码。请转换为 H.264 编码的 MP4。
frames-unusable = “{ $name }”没有可用的帧信息。请转换为 MP4。
sound-cannot-be-decoded = “{ $name }”的声音无法解码。请选择一段说话的录音。
sound-cannot-be-mixed = “{ $name }”的声道（{ $channels }）无法混合。请转换为单声道或立体声。
no-frame-rendered = “{ $name }”没有制作出任何画面。

## storage：存储

storage-full = 磁盘空间不足，无法保存 { $name }。请清理磁盘后重试。
disk-full = 某个服务的磁盘已满。请清理磁盘后重试。
disk-low = 磁盘快满了：只剩 { $free }，其中 { $least } 要留给正在制作的视频。请删除不再需要的文件或扩大磁盘，然后重试。
disk-too-small = { $name } 有 { $size }，而磁盘只剩 { $free }，其中 { $least } 要留给正在制作的视频。请删除不再需要的文件或扩大磁盘，然后重试。
nothing-stored = 存储中没有文件 { $key }。
store-failed = 存储在处理 { $key } 时出错：{ $reason }

## triton：模型

model-not-served = { $address } 上的 Triton 没有提供模型 { $model }：{ $reason }
model-overloaded = Triton 在 { $seconds } 秒内没有响应：模型 { $model } 过载。
model-failed = 模型 { $model } 在 Triton 上运行出错：{ $reason }
model-answer-differs = 模型 { $model } 给出了 { $given }，应为 { $wanted }：请重新导入。
model-output-missing = 模型 { $model } 没有给出输出 { $output }。

## gRPC

cannot-listen = 无法监听 { $address }：该地址已被占用，或者不属于本机。
tls-unusable = { $files } 无法用于 TLS（{ $reason }）：请给出互相对应的 PEM 文件，私钥不带口令。
service-unreachable = { $service } 没有响应。它在运行吗？（{ $reason }）
service-too-slow = { $service } 没有及时响应。
call-failed = 调用 { $service } 时出错：{ $reason }（{ $status }）
service-failed = 服务出错，原因见它的日志。

## jobs：制作任务

job-failed = 制作时意外出错，原因见 worker 的日志。
worker-died = 每次制作这个视频时 worker 都意外退出。请查看它的日志，然后重试。
job-unknown = 视频 { $job } 不存在。
job-not-retryable = 视频 { $job } 现在不能重试。请查看它的状态。
render-stalled = “{ $name }”的制作停滞了 { $seconds } 秒，已被终止。
render-killed = “{ $name }”的制作进程被强制终止（{ $signal }），可能是内存不足。
render-ended = “{ $name }”的制作进程意外结束（代码 { $exit_code }），原因见日志。
render-silent = “{ $name }”的制作进程没有响应。
render-answer-unusable = “{ $name }”的制作进程给出了无法识别的答复。
database-silent = 数据库没有响应。请稍后再试。
database-full = 数据库所在的磁盘已满：请清理磁盘后重试
database-unusable = 数据库无法使用（{ $reason }）：磁盘是否已满，或其文件夹不可写？
value-unusable = 有一个值包含数据库无法保存的字符或数字，请去掉它。
database-in-use = 另一个 worker 正在使用 SQLite 数据库 { $database }（多个 worker 需要 PostgreSQL）。请先停止它。
scratch-in-use = 另一个 worker 正在使用临时文件夹 { $folder }（CHORUS_SCRATCH）。请先停止它。

## library：上传的文件

preflight-failed = 检查“{ $name }”时出错，原因见日志。
too-large = “{ $name }”超过了 { $limit } 的上限。
kind-unusable = 无法使用“{ $name }”这种文件。可以使用的格式：{ $kinds }。
probe-failed = 无法读取“{ $name }”：文件已损坏，或者 FFmpeg 不支持这种格式。
probe-needs-too-much = “{ $name }”所需的内存超过单个文件的上限：请缩小图像尺寸。
probes-died = 检查“{ $name }”时中断了两次，请重新上传。
retention-days = 保存天数须在 { $least } 到 { $most } 之间，或为 0（直到有人删除）：请另选一个
media-unknown = 上传的文件 { $media } 不存在。请先上传文件。
media-in-use = 还有 { $jobs } 个未完成的视频需要“{ $name }”。请取消它们，或者等待它们完成。
no-thumbnail = “{ $name }”没有画面。
not-in-store = “{ $name }”已经不在存储中。
no-picture-to-search = “{ $name }”没有画面，无法寻找人脸。
preflight-not-started = 还没有开始寻找“{ $name }”中的人脸。请先开始。
preflights-waiting = 有 { $number } 个视频正在等待检查。请过一会儿再试。
analysis-broke-off = 对“{ $name }”的分析提前中断了。请重试。
upload-unknown = 上传 { $upload } 不存在或已过期。请重新发送文件。
uploads-unfinished = 您有 { $limit } 个上传还没有完成。请先完成或移除一些，再上传“{ $name }”。
upload-not-there = 上传不能从第 { $offset } 字节继续。请先查询位置。
upload-unfinished = “{ $name }”还缺 { $missing } 字节。请继续上传。
nothing-finished = 这些视频还没有一个完成。请等待其中一个完成。
job-unfinished =
    “{ $name }”还没有结束（{ $state ->
        [queued] 等待中
        [running] 制作中
        [succeeded] 已完成
        [failed] 失败
       *[cancelled] 已取消
    }）。请先取消。
no-output =
    “{ $name }”没有成品（{ $state ->
        [queued] 等待中
        [running] 制作中
        [succeeded] 已完成
        [failed] 失败
       *[cancelled] 已取消
    }）。

## gateway：服务入口

invalid-request = 请求有误：{ $problems }
request-refused = { $method } { $path }：{ $reason }
gateway-failed = 网关出错，原因见它的日志。
batch-unknown = 批次 { $batch } 不存在。
batch-size = 一个批次可以有 1 到 { $limit } 个视频，现在是 { $number } 个。请分成几批。
idempotency-key-too-long = 幂等键最多 { $limit } 个字符，请换一个短一些的。
face-rank-too-high = 人脸的序号最大是 { $limit }，请从找到的人脸中选择。
list-offset-too-large = 列表最多只能从第 { $limit } 项开始，请缩小范围。
queue-full = 等待中的任务太多（最多 { $limit } 个），暂时不能再接受新的。请等一些任务完成后再试。
owner-queue-full = 您等待或运行中的任务太多（最多 { $limit } 个）。请等一些任务完成后再试。
owner-bytes-full = “{ $name }”放不下：您的文件已占用 { $used }，上限为 { $limit }。请删除不再需要的文件。
too-many-ids = 一次最多 { $limit } 个编号，现在是 { $number } 个。请分成几次。
face-without-video = 为 { $media } 选择了人脸，但它不在这些视频中。
no-sound = “{ $name }”没有声音。请选择一段说话的录音。
no-picture = “{ $name }”没有画面。请选择视频或照片。
media-deleted = “{ $name }”已被删除。请重新上传，再新建一个批次。
idempotency-key-used = 幂等键 { $key } 已用于另一个批次。请换一个。
job-ended =
    “{ $name }”已经结束（{ $state ->
        [queued] 等待中
        [running] 制作中
        [succeeded] 已完成
        [failed] 失败
       *[cancelled] 已取消
    }），无需取消。
job-not-failed =
    “{ $name }”现在不能重试（{ $state ->
        [queued] 等待中
        [running] 制作中
        [succeeded] 已完成
        [failed] 失败
       *[cancelled] 已取消
    }）：只有失败或已取消的视频可以重试。
priority-unknown = 没有名为 { $priority } 的优先级。请选择其中之一：{ $choices }。
state-unknown = 没有名为 { $state } 的状态。请选择其中之一：{ $choices }。
no-worker = 没有 worker 在处理任务，{ $jobs } 个任务在等待：它可能正在重新启动，否则请查看它的日志。
models-loading = Triton 还在加载模型。
no-common-log = 这个安装没有统一的日志（没有设置 CHORUS_LOG_FILE）。请查看各个进程的日志，在 Kubernetes 上用 kubectl logs。
upload-busy = 另一个请求正在上传“{ $name }”。
upload-elsewhere = “{ $name }”应从第 { $offset } 字节继续，而不是第 { $given } 字节。
upload-too-long = “{ $name }”比预告的 { $length } 字节更长，上传时它可能被改动了。请重新上传。
upload-being-finished = “{ $name }”还在检查中，请稍后再问。
upload-in-too-many-pieces = 这次上传分成了超过 { $limit } 段，请一次多传一些。
upload-silent = “{ $name }”的上传已有 { $seconds } 秒没有数据。
upload-broke-off = “{ $name }”的上传中断了。请继续上传。
upload-cut-off = “{ $name }”的上传中途断开了。请重新发送。
upload-of-another = “{ $name }”正在由其他人上传。
upload-purpose-unknown = 上传的用途只能是 { $choices }，不能是 { $purpose }。
upload-metadata-unusable = Upload-Metadata：{ $key } 不是 UTF-8 的 base64 编码。
upload-place-first = AppendUpload 的第一条消息（且只有第一条）应给出 upload_id 和 offset。
offset-too-large = “{ $name }”共 { $bytes } 字节，不能从第 { $offset } 字节开始发送。
form-unusable = 上传的内容不是有效的 multipart 表单：{ $reason }
form-without-boundary = multipart 表单的 Content-Type 中没有 boundary。
form-without-file = 表单中没有名为 file 的文件字段。

## preprocess：人脸与语音分析

no-face = 在“{ $name }”中没有找到人脸。请选择人脸足够大、正对镜头的视频。
face-not-there = “{ $name }”中最多同时出现 { $most } 张人脸，没有您选择的那一张。请选择另一张。
too-long = “{ $name }”长 { NUMBER($minutes, minimumFractionDigits: 1, maximumFractionDigits: 1) } 分钟，上限是 { $limit } 分钟。请先剪短。
analysis-failed = 分析“{ $name }”时出错，原因见 preprocess 的日志。
service-silent = { $service } 已有 { $seconds } 秒没有响应，它的日志里可能有原因。
preprocess-older = preprocess 版本较旧，不支持模型系列自带的网络：任务会等到它被替换。
preprocess-differs = preprocess 发来了未知的消息：它的版本不同。
extend-unknown = extend 不能是 { $extend }。请使用其中之一：{ $choices }。
crop-unusable = crop 的 extent 必须大于 0，sizes 必须从小到大，且不超过 { $limit }。
frame-count-unusable = frame_count 必须至少为 1。
net-unusable = 对网络 { $model } 的请求不完整：需要模型名、标识、在限度内的行数和边长，以及带像素的 crop。

## render：制作视频

family-unknown = 没有名为 { $family } 的模型系列。请选择其中之一：{ $choices }。
family-broken = 方法 { $family } 无法使用：{ $reason }
render-needs-too-much = 制作“{ $name }”所需的内存超过单个视频的上限：请缩小画面尺寸。
render-failed = 制作“{ $name }”时意外出错，详情见日志中的 { $job }。
frames-missing = “{ $name }”的 { $count } 帧中只制作了 { $written } 帧。
speech-missing = preprocess 在给出语音之前就结束了，它的日志里可能有原因。
track-not-introduced = 人脸轨迹 { $track } 缺少开头的说明。

## importing：chorus models import，以及各个接口

import-no-file = “{ $name }”不是文件。请给出权重文件的路径。
import-size = “{ $name }”有 { $size } 字节，权重文件应为 64 字节到 { $most } MiB。MuseTalk 请在本机用 `chorus models import 文件夹` 导入整个文件夹。
import-unknown-format = “{ $name }”不是 Chorus 认识的权重文件。请提供 PyTorch（.pth）、TorchScript、safetensors 或 ONNX 文件。MuseTalk 请在本机用 `chorus models import 文件夹` 导入整个文件夹。
import-damaged = “{ $name }”不完整或已损坏（{ $reason }）。请重新复制或下载整个文件。
import-unsafe = “{ $name }”里不只有权重（它要用到 { $reason }），可能会运行程序，因此拒绝导入。请只保存 state_dict。
import-packed = “{ $name }”声称的内容超出文件大小所能容纳的量，训练程序不会这样写，因此拒绝导入。
import-greedy = 读取“{ $name }”所需的内存或时间超出任何口型网络的需要，因此拒绝导入。
import-no-tensors = “{ $name }”里没有带名字的权重。请保存网络的 state_dict。
import-not-finite = “{ $name }”的 { $key } 里有无穷大或非数值，说明训练失败。请换用更早的权重。
import-discriminator = “{ $name }”是训练用的判别器。请选择生成器的权重。
import-syncnet = “{ $name }”是 SyncNet，它只判断口型而不生成口型。请选择 Wav2Lip 的权重。
import-another-net = “{ $name }”不是 Wav2Lip（其中有 { $key }）。请选择 Wav2Lip 的权重。
import-sam-fork = “{ $name }”来自带注意力（SAM）或 audio_refine 的分支，仅凭权重无法还原。请用它自己的代码导出为 ONNX 后再导入。
import-no-norm-fork = “{ $name }”来自没有批归一化的分支，仅凭权重无法还原。请用它自己的代码导出为 ONNX 后再导入。
import-tensor-missing = “{ $name }”像是 Wav2Lip，但缺少 { $key }。请用它自己的代码导出为 ONNX 后再导入。
import-tensor-shape = “{ $name }”像是 Wav2Lip，但 { $key } 的形状是 { $found }，应为 { $wanted }。请用它自己的代码导出为 ONNX 后再导入。
import-tensor-unknown = “{ $name }”像是 Wav2Lip，但多出 { $count } 个张量，例如 { $key }。请用它自己的代码导出为 ONNX 后再导入。
import-layers = “{ $name }”像是 Wav2Lip，但各层在 { $part } 处对不上。请用它自己的代码导出为 ONNX 后再导入。
import-musetalk-part = “{ $name }”只是 MuseTalk 的一部分。请在本机用 `chorus models import 文件夹` 导入包含 musetalkV15、sd-vae 和 whisper 的整个文件夹。
import-musetalk-first = “{ $name }”里是 MuseTalk 1.0（{ $path }），其嘴部的裁剪和放置方式不同。请使用 1.5 的 UNet（musetalkV15/unet.pth）。
import-folder-lacks = “{ $name }”不是完整的 MuseTalk 1.5，缺少 { $part }。文件夹需要 musetalkV15、sd-vae 和 whisper，每个都带有配置和权重。
import-folder-twice = “{ $name }”里有不止一个 { $part }（{ $places }）。请只留下一个。
import-folder-link = “{ $name }/{ $path }”是指向文件夹之外的链接，没有它就缺少 { $part }。请把文件本身复制到文件夹中（huggingface-cli download --local-dir）。
import-folder-crowded = “{ $name }”里有超过 { $most } 个文件。请只提供 MuseTalk 的文件夹。
import-config-unreadable = “{ $name }”不是配置文件（{ $reason }）。请重新下载。
import-config-differs = “{ $name }”不符合要求：它的配置中 { $key } = { $found }，而 MuseTalk 1.5 为 { $wanted }。
import-part-differs = “{ $name }”与它的配置不符：{ $reason }。请重新下载两者。
import-part-inexact = “{ $name }”无法照原样提供服务：{ $part } 的误差达到最大值的 { $found }，最多允许 { $most }。
fewer-bits-not-here = “{ $name }”是 MuseTalk，面向 GPU，已经以 16 位提供服务。请去掉 --calibrate 再导入。
import-onnx-opset = “{ $name }”的 ONNX opset 是 { $found }。请以 { $least } 或更高版本重新导出。
import-onnx-operators = “{ $name }”需要非标准算子（{ $domain }）。请用标准算子导出。
import-onnx-branches = “{ $name }”里有循环或分支（{ $operators }），任何 Wav2Lip 都不需要它们。请在导出时去掉。
import-onnx-external = “{ $name }”的权重在别的文件里。请保存为单个文件。
import-onnx-shapes = “{ $name }”不是 Wav2Lip：它应接收 (n, 1, 80, 16) 和 (n, 6, 边长, 边长) 并给出一幅画面，而此文件是 { $found }。
import-onnx-side = “{ $name }”的人脸边长不在已知之列（{ $sides } 像素）。请以固定边长导出。
import-cannot-run = “{ $name }”无法运行：{ $reason }
import-no-picture = “{ $name }”给出的不是与人脸同样大小的画面，它不是 Wav2Lip。
import-deaf = “{ $name }”对不同的声音给出同样的画面，它不是训练好的 Wav2Lip。
import-differs = “{ $name }”无法照原样提供服务：结果相差 { $steps } 级（共 255 级），最多允许 { $most } 级。
import-lacks = 导入需要软件包 { $package }。请运行 pip install 'chorus[import]'（MuseTalk 用 'chorus[musetalk]'），在源码目录中运行 make importer 或 make importer-musetalk。
import-failed = 导入“{ $name }”失败：{ $reason }
fewer-bits-no-footage = { $places } 里没有带语音的视频，而降低计算精度时要用它们来校准和比较：请给出说话的视频，或装有它们的文件夹
fewer-bits-no-faces = 素材中没有露出嘴部的人脸
fewer-bits-few-pairs = 素材中只有 { $found } 张带声音的人脸，至少需要 { $least } 张：请提供更多素材
fewer-bits-impossible = { $name } 无法以更低的精度计算：{ $reason }
fewer-bits-show = 使用 { $engine } 时，{ $name } 的嘴部会改变：与浮点相差 { $psnr } dB（需要 { $least_psnr }），声音引起的变化的相关系数为 { $agreement }（需要 { $least_agreement }）
fewer-bits-slow = 使用 { $engine } 时，{ $name } 的速度只有 { $gain } 倍，低于 { $least } 倍不值得
import-busy = 另一个导入或删除正在 { $folder } 中进行。请等它完成。
import-name-unusable = “{ $name }”不能用作方法名。请用 a 到 z、数字、- 和 _，最多 40 个字符。
import-name-taken = 名称“{ $name }”已被占用。请另取一个，或先删除那个方法。
import-unknown = 没有导入过名为“{ $name }”的方法。请查看模型列表。
import-not-taken = 位于 { $address } 的 Triton 没有接受“{ $name }”，此次导入已撤销：{ $reason }
import-switched-off = 此处已关闭通过接口导入和删除模型的功能（CHORUS_MODEL_IMPORT）。请在本机使用 chorus models。
import-no-folder = 此处的 api 没有存放导入模型的文件夹。请在能写入 Triton 模型仓库的地方运行 chorus models import，或通过 CHORUS_FAMILIES 把该文件夹交给 api。
import-folder-closed = api 无法写入 { $folder }。请在能写入 Triton 模型仓库的地方运行 chorus models import，或允许 api 写入该文件夹。
import-abandoned = 执行导入的进程已经结束。请重新开始导入，已上传的文件仍在。
import-broke-off = 导入中断，详情见日志。请重新开始。
import-too-slow = 导入超过 { $seconds } 秒，已被终止。
import-not-there = 没有编号为 { $id } 的导入。
import-ended = “{ $name }”的导入已经结束：{ $state }
models-too-many = 已导入 { $limit } 个模型。请先删除一个。
imports-waiting = 已有 { $number } 个导入在等待。请等其中一些结束后再来。
upload-is-model = “{ $name }”是作为模型上传等待导入的，不是录制文件。
upload-is-media = “{ $name }”不是作为模型上传的。请以用途 model 重新开始上传。
bench-not-imported = { $name } 不是导入的方法：只能测量用 `chorus models import` 导入的方法，默认方法由 `make bench` 测量
import-not-loaded = { $address } 上正在运行的 Triton 没有接受“{ $name }”：{ $reason }。请重新启动 Chorus 或 Triton。

## access：谁可以进来

login-needed = 请先登录，或者发送请求头 Authorization: Bearer <token>。
login-wrong = 用户名或密码有误。
too-many-logins = 尝试登录的次数过多。请等一分钟。
too-many-requests = 请求太多。请等一分钟。
body-too-large = 请求正文超过 { $limit } 字节：只有文件可以更大
too-many-uploads = 正在检查的上传过多，请稍后再试
too-many-followers = 同时查看日志的人过多：请关闭一些，或只读取日志末尾
client-silent = { $seconds } 秒内没有收到任何内容，调用已结束，请重新开始
message-missing = 调用没有发送消息就结束了，请发送一条消息
message-unreadable = 发送的内容不是此调用的消息：客户端是否由另一份 .proto 生成？
too-many-calls = 打开的调用过多：请结束一些，或稍后再试
service-stopping = 服务器正在停止：请在另一台上重新开始
host-unknown = Chorus 没有 { $host } 这个名字。请使用 localhost，或者把它加入 CHORUS_ALLOWED_HOSTS。
foreign-origin = 这个请求来自另一个网站。请直接打开 Chorus。
lock-needed = CHORUS_HOST={ $host } 会把 Chorus 开放给网络，没有锁就不会启动。请把 CHORUS_USERS 设为一个文件并在其中添加用户（chorus user add NAME），或者设置 CHORUS_TOKEN，也可以两者都用。
token-too-short = CHORUS_TOKEN 至少需要 { $least } 个字符。
no-users = { $file }（CHORUS_USERS）里没有用户。请运行 chorus user add NAME。
users-unreadable = 无法读取 { $file }（CHORUS_USERS）：{ $reason }
token-unusable = { $name } 不能作为令牌：名称请用字母、数字和 . - _，期限不超过 { $most } 天
token-taken = 已有名为 { $name } 的令牌：请先删除它，或另取名称
token-unknown = 没有名为 { $name } 的令牌
tokens-too-many = 已有 { $limit } 个令牌：请先删除一些
user-unknown = { $file } 里没有用户 { $name }。
user-name-unusable = { $name } 不能用作用户名。请使用字母、数字和 . @ + - _。
password-too-short = 密码至少需要 { $least } 个字符。
oidc-away = 登录服务 { $issuer } 没有响应（{ $reason }）。请重试，或者用密码登录。
oidc-refused = 登录服务的答复无法使用（{ $reason }）。请重新开始。
oidc-no-role = { $name } 在这里没有角色。请联系管理员。
oidc-name-taken = { $name } 在这里有密码。请用密码登录。
oidc-logout-refused = 这个令牌不能说明有人已退出登录（{ $reason }）。
oidc-logout-repeated = 这个退出令牌已经用过了。
oidc-none = 这里不能在别处登录。
oidc-not-installed = CHORUS_OIDC_ISSUER 需要本软件包的附加组件 [oidc]：{ $reason }
session-ended = 登录已失效。请重新登录。
role-needed = 此操作需要角色 { $role }，您的角色是 { $own }。请联系管理员。
token-needed = 请发送元数据 authorization: Bearer <token>，其中是 CHORUS_TOKEN 的令牌。

## local：单机运行

stack-already-running = Chorus 已经在 { $folder } 上运行：{ $address }（进程 { $process }）。请先停止它，或者把 CHORUS_HOME 设为另一个文件夹。
stack-starting-or-stopping = Chorus 已经在 { $folder } 上运行，正在启动或停止。请先停止它，或者把 CHORUS_HOME 设为另一个文件夹。
stack-not-started =
    Chorus 没有启动：
    { $output }
port-taken = 端口 { $port } 已被其他程序占用。请用 --port 选择另一个，或者用 --port 0。
no-free-port = 本机在 20000 到 32000 之间没有空闲的 TCP 端口。
no-models = { $folder } 里没有模型。
process-not-started = 无法启动 { $process }：{ $reason }
process-ended-early =
    { $process } 启动失败（{ $ending }）。它最后的输出：
    { $lines }
process-not-ready =
    { $process } 在 { $seconds } 秒内没有就绪。它最后的输出：
    { $lines }
triton-unusable = CHORUS_TRITON_URL={ $address } 的 Triton 没有响应，或者缺少其中的模型：{ $models }
triton-no-engine = 内置 Triton 的 ONNX Runtime 无法加载：{ $reason }。请删除其文件夹并重新安装：{ $command }
engine-no-gpu = CHORUS_MODEL_ENGINE={ $engine } 需要 NVIDIA GPU，但 nvidia-smi 在此处未显示任何 GPU：请设为 auto 或 cpu，或修复驱动
triton-not-installed = { $folder } 里没有安装 Triton。请运行 `{ $command }`。
triton-install-failed =
    安装 Triton 时，`{ $command }` 出错：
    { $lines }
libpython-missing = 缺少 { $library }，Triton 的 Python 后端需要它。在 Debian 和 Ubuntu 上请运行 `apt install { $package }`。
platform-unusable = 内置的 Triton 需要 x86-64 上的 Linux，本机是 { $machine } 上的 { $system }。请把 CHORUS_TRITON_URL 设为别处 Triton 的 host:port。
glibc-too-old = 内置的 Triton 需要 glibc { $needed } 或更新的版本，本机是 { $found }。请把 CHORUS_TRITON_URL 设为别处 Triton 的 host:port。

## cli：`chorus run`

folder-not-made = 无法创建文件夹 { $folder }：{ $reason }
file-unreadable = 无法读取 { $file }：{ $reason }
chorus-gone = Chorus 没有响应了：{ $reason }
call-broke-off =
    { $call ->
        [upload] 上传 { $file } 时
        [download] 下载时
        [cancel] 取消时
       *[other] 请求 Chorus 时
    }连接中断了：{ $reason }
answer-unusable = { $address } 的答复是 { $status }：{ $text }
