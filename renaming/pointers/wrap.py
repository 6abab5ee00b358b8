import sys,re,textwrap
import os
W=int(os.environ.get("W","160"))
for p in sys.argv[1:]:
    out=[]; para=[]; ind='' ; first=''
    incode=False
    def flush():
        global para
        if para:
            text=' '.join(x.strip() for x in para)
            m=re.match(r'(- |\d+\. )?(.*)',text,re.S)
            b=m.group(1) or ''
            lines=textwrap.wrap(m.group(2),width=W-len(b),break_long_words=False,break_on_hyphens=False)
            for i,l in enumerate(lines): out.append((b if i==0 else ' '*len(b))+l)
            para=[]
    para=[]
    for line in open(p).read().split('\n'):
        if line.startswith('```'): flush(); incode=not incode; out.append(line); continue
        if incode or line.startswith('|') or line.startswith('#') or line.strip()=='' or line.startswith('<!--'):
            flush(); out.append(line); continue
        if re.match(r'(- |\d+\. )',line): flush()
        para.append(line)
    flush()
    s='\n'.join(out)
    open(p,'w').write(s)
