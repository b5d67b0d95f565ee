# 错误信息的中文文本。编号与变量须与 en.ftl 一致。

as-told = { $text }

## media：文件本身的问题

file-gone = “{ $name }”已经不在了。请重新上传。
file-empty = “{ $name }”是空的。请选择有内容的文件。
file-damaged = “{ $name }”不完整或已损坏。请重新复制或上传整个文件。
not-a-recording = “{ $name }”不是视频、音频或图片文件。请使用 MP4、MOV、MKV、WAV、MP3、JPEG 或 PNG。
heif-picture = “{ $name }”是 HEIF 或 AVIF 图片。请另存为 JPEG 或 PNG。
nothing-can-be-decoded = “{ $name }”里没有可以解码的画面或声音。请选择别的文件。
only-sound = “{ $name }”只有声音，没有画面。请选择视频或照片。
picture-cannot-be-decoded = “{ $name }”的画面无法解码。请转换为 H.264 编码的 MP4。
picture-size = “{ $name }”的尺寸是 { $width } × { $height } 像素，每边应为 { $least } 到 { $limit } 像素。请先缩放。
video-cannot-be-decoded = “{ $name }”无法解码。请转换为 H.264 编码的 MP4。
frames-unusable = “{ $name }”没有可用的帧信息。请转换为 MP4。
sound-cannot-be-decoded = “{ $name }”的声音无法解码。请选择一段说话的录音。
sound-cannot-be-mixed = “{ $name }”的声道（{ $channels }）无法混合。请转换为单声道或立体声。
no-frame-rendered = “{ $name }”没有制作出任何画面。

## storage：存储

storage-full = 磁盘空间不足，无法保存 { $name }。请清理磁盘后重试。
nothing-stored = 存储中没有文件 { $key }。
store-failed = 存储在处理 { $key } 时出错：{ $reason }

## triton：模型

model-not-served = { $address } 上的 Triton 没有提供模型 { $model }：{ $reason }
model-overloaded = Triton 在 { $seconds } 秒内没有响应：模型 { $model } 过载。
model-failed = 模型 { $model } 在 Triton 上运行出错：{ $reason }
model-output-missing = 模型 { $model } 没有给出输出 { $output }。

## gRPC

cannot-listen = 无法监听 { $address }：该地址已被占用，或者不属于本机。
service-unreachable = { $service } 没有响应。它在运行吗？（{ $reason }）
service-too-slow = { $service } 没有及时响应。
call-failed = 调用 { $service } 时出错：{ $reason }（{ $status }）
service-failed = 服务出错，原因见它的日志。

## jobs：制作任务

job-failed = 制作时意外出错，原因见 worker 的日志。
worker-died = 每次制作这个视频时 worker 都意外退出。请查看它的日志，然后重试。

## library：上传的文件

preflight-failed = 检查“{ $name }”时出错，原因见日志。

## gateway：服务入口

invalid-request = 请求有误：{ $problems }
request-refused = { $method } { $path }：{ $reason }
gateway-failed = 网关出错，原因见它的日志。
