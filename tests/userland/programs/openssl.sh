# Hashes, ciphers, signatures.
set -e
cd /tmp
seq 200000 >data
for h in md5 sha1 sha256 sha512 blake2b512; do openssl dgst -$h data; done
openssl enc -aes-256-cbc -pbkdf2 -k secret -S 0011223344556677 -in data | openssl dgst -sha256
openssl genrsa -out key.pem 2048 2>/dev/null && openssl rsa -in key.pem -pubout -out pub.pem 2>/dev/null
openssl dgst -sha256 -sign key.pem -out sig data && openssl dgst -sha256 -verify pub.pem -signature sig data
openssl req -x509 -new -key key.pem -subj /CN=test -days 1 -out cert.pem && openssl verify -CAfile cert.pem cert.pem
