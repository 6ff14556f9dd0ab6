# shellcheck shell=sh
# Makes what /srv/shop/tls is to hold: certify NAME ISSUER DAYS SUBJECT-ALTERNATIVE-NAMES; ISSUER "-" signs with its own key, NAMES "ca" makes a CA.
certify() {
    cd /srv/shop/tls || return
    case "$4" in
        ca) printf 'basicConstraints=critical,CA:true\nkeyUsage=keyCertSign,cRLSign\n' > "$1.ext" ;;
        *) printf 'subjectAltName=%s\n' "$4" > "$1.ext" ;;
    esac
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2> /dev/null
    if [ "$2" = - ]; then
        openssl x509 -req -in "$1.csr" -signkey "$1.key" -days "$3" -extfile "$1.ext" -out "$1.pem" 2> /dev/null
    else
        openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days "$3" -extfile "$1.ext" -out "$1.pem" 2> /dev/null
    fi
    chown app "$1.key"
    cd /
}
mkdir -p /srv/shop/tls
