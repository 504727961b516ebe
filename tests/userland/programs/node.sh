# Worker threads, child processes, a watch on a folder.
set -e
mkdir /tmp/n && cd /tmp/n
cat >t.js <<'J'
const { Worker, isMainThread, parentPort } = require('worker_threads');
const child = require('child_process'), fs = require('fs');
if (!isMainThread) {
  let x = 0;
  for (let i = 0; i < 1e6; i++) x += i;
  parentPort.postMessage(x);
} else {
  let sum = 0, ended = 0;
  const then = () => {
    console.log('sum', sum, child.execSync('echo hi; ls /usr | wc -l').toString());
    const cat = child.spawn('cat');
    cat.stdout.on('data', d => { console.log('cat', d.toString()); cat.stdin.end(); });
    cat.on('exit', code => {
      console.log('exit', code);
      fs.watch('/tmp/n', (event, name) => { if (name === 'new') { console.log('watch', name); process.exit(0); } });
      setImmediate(() => fs.writeFileSync('/tmp/n/new', '1'));
    });
    cat.stdin.write('x');
  };
  for (let i = 0; i < 4; i++) {
    const w = new Worker(__filename);
    w.on('message', m => { sum += m; });
    w.on('exit', () => { if (++ended === 4) then(); });
  }
}
J
node t.js
