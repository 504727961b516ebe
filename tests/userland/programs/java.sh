# javac, and a program with threads and a child process.
set -e
mkdir /tmp/j; cd /tmp/j; cat > T.java <<'J'
import java.util.concurrent.*;
public class T { public static void main(String[] a) throws Exception {
 ExecutorService e=Executors.newFixedThreadPool(8); long s=0; java.util.List<Future<Long>> f=new java.util.ArrayList<>();
 for(int i=0;i<64;i++){final int n=i; f.add(e.submit(()->{long x=0;for(int k=0;k<200000;k++)x+=k^n;return x;}));}
 for(Future<Long> q:f)s+=q.get(); e.shutdown(); System.out.println(s);
 Process p=new ProcessBuilder("sh","-c","echo child; exit 3").inheritIO().start(); System.out.println(p.waitFor()); System.gc(); } }
J
javac T.java && java T
