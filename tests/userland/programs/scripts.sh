# php and ruby: files, processes, threads.
set -e
cd /tmp
php -r '$s = 0; for ($i = 0; $i < 100000; $i++) $s += $i % 7; echo $s, "\n"; file_put_contents("/tmp/x", str_repeat("a", 1000)); echo filesize("/tmp/x"), "\n"; echo shell_exec("echo from sh"); $p = proc_open("cat", [["pipe", "r"], ["pipe", "w"]], $f); fwrite($f[0], "through cat\n"); fclose($f[0]); echo stream_get_contents($f[1]); echo proc_close($p), "\n";'
ruby -e 'q = Queue.new; t = (0...8).map { |i| Thread.new { 1000.times { |k| q << k } } }; t.each(&:join); puts q.size; r, w = IO.pipe; pid = fork { w.puts "child"; exit 4 }; w.close; puts r.read; Process.wait pid; puts $?.exitstatus; File.write("/tmp/y", "z" * 99); puts File.size("/tmp/y"); puts Dir.glob("/tmp/*").sort.inspect; puts IO.popen("echo popen").read'
