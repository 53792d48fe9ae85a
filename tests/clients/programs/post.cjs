// Posts the requests of the files named, with Node's fetch, or with axios where its folder is named first.
const fs = require("node:fs");

async function main([folder, ...files]) {
  const axios = folder === "fetch" ? null : require(folder);
  for (const file of files) {
    const whole = fs.readFileSync(file);
    const end = whole.indexOf("\n\n");
    const [url, ...lines] = whole.subarray(0, end).toString().split("\n");
    const headers = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)]));
    const body = whole.subarray(end + 2);
    const answer = axios
      ? await axios.post(url, body, { headers, validateStatus: () => true })
      : await fetch(url, { method: "POST", headers, body });
    console.log(answer.status);
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
