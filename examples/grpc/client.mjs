// A client made from gateway.proto alone: uploads a recording and a video, follows the job, fetches the output.
//
//   npm install --prefix examples/grpc
//   node examples/grpc/client.mjs 127.0.0.1:7861 speech.wav face.mp4 out.mp4 [token]

import { createReadStream, createWriteStream } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const PROTO = fileURLToPath(new URL("../../services/gateway/v1/gateway.proto", import.meta.url));
const [address, audio, video, output, token] = process.argv.slice(2);
if (!output) {
  console.error("usage: client.mjs host:port audio video output [token]");
  process.exit(2);
}

const definition = loader.loadSync(PROTO, { keepCase: true, longs: Number, defaults: true });
const { GatewayService } = grpc.loadPackageDefinition(definition).chorus.gateway.v1;
const chorus = new GatewayService(address, grpc.credentials.createInsecure());
const metadata = new grpc.Metadata();
if (token) metadata.set("authorization", `Bearer ${token}`);

// A call with one request and one answer, as a promise.
const call = (method, request) =>
  new Promise((resolve, reject) =>
    chorus[method](request, metadata, (error, answer) => (error ? reject(error) : resolve(answer))),
  );

// The id of the media that a file becomes. After a broken connection GetUpload says where to go on.
async function upload(path) {
  const { id, offset } = await call("CreateUpload", { name: basename(path), length: (await stat(path)).size });
  await new Promise((resolve, reject) => {
    const append = chorus.AppendUpload(metadata, (error) => (error ? reject(error) : resolve()));
    append.write({ place: { upload_id: id, offset } });
    const wrap = new Transform({
      writableHighWaterMark: 1 << 20,
      readableObjectMode: true,
      transform: (content, _encoding, done) => done(null, { content }),
    });
    pipeline(createReadStream(path, { start: offset, highWaterMark: 1 << 20 }), wrap, append).catch(reject);
  });
  return (await call("FinishUpload", { upload_id: id })).id;
}

const batch = await call("CreateBatch", { audio_id: await upload(audio), video_ids: [await upload(video)] });
let job;
for await (job of chorus.WatchJob({ job_id: batch.jobs[0].id }, metadata)) {
  console.log(job.state, job.progress?.stage ?? "", job.progress?.frames_done ?? "");
}
if (job.state === "succeeded") {
  const unwrap = new Transform({
    writableObjectMode: true,
    transform: (part, _encoding, done) => done(null, part.content),
  });
  await pipeline(chorus.DownloadOutput({ job_id: job.id }, metadata), unwrap, createWriteStream(output));
} else {
  console.error(job.error?.message ?? job.state);
  process.exitCode = 1;
}
chorus.close();
