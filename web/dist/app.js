/* confab's page, built from web/src. It holds Preact 11.2.0:

The MIT License (MIT)

Copyright (c) 2015-present Jason Miller

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
*/
"use strict";(()=>{var w,Tt,ho,G,tt,Le,At,Te,Rt,ot,nt,go,ve=Symbol.for("pv"),Ne={},De=[],_o=/^m(i|n|o|s|text|space)$/,st=Array.isArray,Ot=De.
slice,oe=Object.assign;function ne(e){e&&e.parentNode&&e.remove()}function Ae(e,t,n,o,i){var r={type:e,props:t,key:n,ref:o,__k:null,__:null,__b:0,__e:null,__c:null,constructor:ve,__v:i||
++Tt,__i:-1,__u:0};return!i&&w.vnode&&w.vnode(r),r}function E(e){return e.children}function Re(e,t){this.props=e,this.context=t,this.__g=0}function q(e,t){if(t==null)return e.
__&&q(e.__,e.__i+1);for(var n;t<e.__k.length;t++)if((n=e.__k[t])&&n.__e)return n.__e;return typeof e.type!="function"||e.
props.__P?null:q(e)}function yo(e){var t,n=e.__v,o=n.__e,i=[],r=[],a=e.__P;a&&((t=oe({constructor:ve},n)).__v=n.__v+1,w.
vnode&&w.vnode(t),it(a,t,n,e.__n,a.namespaceURI,32&n.__u?[o]:null,i,o||q(n),32&n.__u,r),t.__v=n.__v,t.__.__k[t.__i]=t,Ht(
i,t,r),n.__=n.__e=null,t.__e!=o&&Lt(t))}function Lt(e){if((e=e.__)&&e.__c&&!e.props.__P)return e.__e=null,e.__k.some(function(t){
return t&&(e.__e=t.__e)}),Lt(e)}function Pt(e){(8&e.__g||(e.__g|=8,G.push(e),Le++))&&tt==w.debounceRendering||((tt=w.debounceRendering)||
queueMicrotask)(Nt)}function Nt(){try{for(var e,t=1;G.length;)G.length>t&&G.sort(At),e=G.shift(),t=G.length,8&e.__g&&yo(
e)}finally{(Le=G.length)&&(tt||queueMicrotask)(Nt)}}function Dt(e,t,n,o,i,r,a,l,d,f,c){var p,g,u,m,v,h,_=o.__k||De,y=t.length;
for(d=vo(n,t,_,d,y),p=0;p<y;p++)(u=n.__k[p])!=null&&(g=~u.__i&&_[u.__i]||Ne,u.__i=p,h=it(e,u,g,i,r,a,l,d,f,c),m=u.__e,(g.
ref!=u.ref||8&g.__u)&&(g.ref&&rt(g.ref,null,u,g),u.ref&&c.push(u.ref,u.__c||m,u)),v=v||m,4&u.__u?(d=It(u,d,e,!g.__v),g.__e&&
(g.__e=null)):typeof u.type=="function"&&h!==void 0?d=h:m&&(d=m.nextSibling),u.__u&=-21);return n.__e=v,d}function vo(e,t,n,o,i){
var r,a,l,d,f,c,p,g,u,m=n.length,v=m,h=0,_=0,y=e.__k=Array(i);for(r=0;r<i;r++)(a=t[r])!=null&&typeof a!="boolean"&&typeof a!=
"function"?(typeof a!="object"||a.constructor===String?a=y[r]=Ae(null,a):st(a)?a=y[r]=Ae(E,{children:a}):a.constructor===
ve&&a.__b?a=y[r]=Ae(a.type,a.props,a.key,a.ref,a.__v):y[r]=a,d=r+h,a.__=e,a.__b=e.__b+1,l=null,~(f=a.__i=bo(a,n,d,v))&&(v--,
(l=n[f])&&(l.__u|=2)),l&&l.__v?(a.__u|=16,f==d-1?h--:f==d+1?h++:f!=d&&(f>d?h--:h++,_=1)):(~f||(i>m?h--:i<m&&h++),typeof a.
type!="function"&&(a.__u|=4))):y[r]=null;if(_){for(c=[],p=[],r=0;r<i;r++)if((a=y[r])&&16&a.__u){for(h=0,g=c.length;h<g;)
c[u=h+g>>1]<a.__i?h=u+1:g=u;c[h]=a.__i,p[r]=h+1}for(h=c.length;r--;)p[r]&&(p[r]==h?h--:y[r].__u|=4)}if(v)for(r=0;r<m;r++)
!(l=n[r])||2&l.__u||(l.__e==o&&(o=q(l)),at(l,l));return o}function It(e,t,n,o){var i,r,a,l;if(typeof e.type=="function"){
if(e.props.__P)return t;if(i=e.__k)for(r=0;r<i.length;r++)i[r]&&(i[r].__=e,t=It(i[r],t,n,!1));return t}for(t&&!t.parentNode&&
(t=q(e))&&!t.parentNode&&(t=null),a=e.__e,l=t;l&&l.nodeType==8;)l=l.nextSibling;for(a!=l&&(!o&&n.moveBefore&&a.parentNode?
n.moveBefore(a,t):n.insertBefore(a,t||null)),t=a;(t=t&&t.nextSibling)&&t.nodeType==8&&!t.data.startsWith("$s"););return t}function bo(e,t,n,o){var i,r=e.key,a=e.type,l=t[n],d=l&&!(2&l.__u);if(l===null&&r==null||d&&r==l.key&&a==l.type)return n;
if(o>(d?1:0)){for(i=n-1;i>=0;i--)if((l=t[i])&&!(2&l.__u)&&r==l.key&&a==l.type)return i;for(i=n+1;i<t.length;i++)if((l=t[i])&&
!(2&l.__u)&&r==l.key&&a==l.type)return i}return-1}function Ct(e,t,n){n==null&&(n=""),t[0]=="-"?e.setProperty(t,n):e[t]=n}
function Ce(e,t,n,o,i){var r,a;if(t=="style")if(typeof n=="string")e.style.cssText=n;else{if(typeof o=="string"&&(e.style.
cssText=o=""),o)for(t in o)n&&t in n||Ct(e.style,t);if(n)for(t in n)o&&n[t]==o[t]||Ct(e.style,t,n[t])}else if(t[0]=="o"&&
t[1]=="n")typeof n!="function"&&(n=null),typeof o!="function"&&(o=null),(e.__e||(e.__e={}))[t]=n,n&&o||(a=nt[t]||(nt[t]=
ko(t)),(e.__a||(e.__a={}))[t]=ot,r=t!=(t=t.replace(Rt,"$1")),(t=t.slice(2))[0]<"a"&&(t=t.toLowerCase()),n?e.addEventListener(
t,a,r):e.removeEventListener(t,a,r));else{if(i=="http://www.w3.org/2000/svg")t=t.replace(/xlink(H|:h)/,"h").replace(/sName$/,
"s");else if(t!="width"&&t!="height"&&t!="href"&&t!="list"&&t!="form"&&t!="tabIndex"&&t!="download"&&t!="rowSpan"&&t!="c\
olSpan"&&t!="role"&&t!="popover"&&t in e)try{return void(e[t]=n??"")}catch{}if(typeof n=="function")return;n==null||n===
!1&&t[4]!="-"?e.removeAttribute(t):e.setAttribute(t,t=="popover"&&n==1?"":n)}}function ko(e){return function(t){var n=this.
__e;if(n){if(n=n[e],t[Te]==null)t[Te]=ot++;else if(t[Te]<this.__a[e])return;return n(w.event?w.event(t):t)}}}function it(e,t,n,o,i,r,a,l,d,f){
var c,p,g,u,m,v,h,_,y,x,k,X,ee,S,T,j,I,z,$=t.type;if(t.constructor!==ve)return null;128&n.__u&&(d=32&n.__u,c=n.__c.__z)&&
(t.__u|=d,p=r=[],c.nodeType==8?l=Oe(c,r):r.push(c),l=r[0]||l),(c=w.__b)&&c(t);e:if(typeof $=="function"){g=a.length;try{
if(_=t.props,y=(c=$.prototype)&&c.render,x=(c=$.contextType)&&o[c.__c],k=c?x?x.props.value:c.__:o,(u=n.__c)?(t.__c=u,2&u.
__g&&(u.__g|=1)):(y?t.__c=u=new $(_,k):(t.__c=u=new Re(_,k),u.constructor=$,u.render=Mo),x&&x.sub(u),u.state||(u.state={}),
u.__n=o,u.__g|=8,u.__h=[],u.__k=[]),y&&(u.__s||(u.__s=u.state),$.getDerivedStateFromProps&&(u.__s==u.state&&(u.__s=oe({},
u.__s)),oe(u.__s,$.getDerivedStateFromProps(_,u.__s)))),m=u.props,v=u.state,u.__v=t,n.__c){if(_!==m&&y&&!$.getDerivedStateFromProps&&
u.componentWillReceiveProps&&u.componentWillReceiveProps(_,k),t.__v==n.__v&&!(8&u.__g)||!(4&u.__g)&&u.shouldComponentUpdate&&
u.shouldComponentUpdate(_,u.__s,k)===!1){t.__v!=n.__v&&(u.props=_,u.state=u.__s,u.__g&=-9),t.__e=n.__e,t.__k=n.__k,t.__k.
some(function(H){H&&(H.__=t)}),De.push.apply(u.__h,u.__k),u.__k=[],u.__h.length&&a.push(u),l=q(n);break e}u.componentWillUpdate&&
u.componentWillUpdate(_,u.__s,k),y&&u.componentDidUpdate&&u.__h.push(function(){u.componentDidUpdate(m,v,h)})}else y&&!$.
getDerivedStateFromProps&&u.componentWillMount&&u.componentWillMount(),y&&u.componentDidMount&&u.__h.push(u.componentDidMount);
u.context=k,u.props=_,u.__P=e,u.__g&=-5,X=w.__r,ee=y?25:0;do u.__g&=-9,X&&X(t),c=u.render(u.props,u.state=u.__s,u.context);while(8&
u.__g&&++ee<25);y&&(De.push.apply(u.__h,u.__k),u.__k=[]),u.state=u.__s,u.getChildContext&&(o=oe({},o,u.getChildContext())),
y&&n.__c&&u.getSnapshotBeforeUpdate&&(h=u.getSnapshotBeforeUpdate(m,v)),S=c&&c.type===E&&c.key==null?c.props.children:c,
_.__P&&(c=l,i=(e=_.__P).namespaceURI,d=r=null,n.props&&n.props.__P!=e&&(n.__k.some(function(H){H&&at(H,H)}),n.__k=null),
l=n.__k?q(n,0):null),l=Dt(e,st(S)?S:[S],t,n,o,i,r,a,l,d,f),_.__P&&(t.__e=null,l=c),t.__u&=-161,p&&p.some(ne),u.__h.length&&
a.push(u),1&u.__g&&(u.__g&=-4)}catch(H){if(a.length=g,t.__v=null,d||r)if(H&&H.then){if(t.__u|=128|d,r){for(~(I=r.indexOf(
l||void 0))||(I=r.length);(z=r[I-1])&&z.nodeType==8;)I--;for(;I<r.length;I++)if(z=r[I])if(r[I]=null,T){if(z==j)break}else{
if(z.nodeType!=8)break;z.data.startsWith("$s")&&(j=Oe(T=z))}}if(!T){for(;l&&l.nodeType==8&&l.nextSibling;)l=l.nextSibling;
T=l}(c=Oe(T=t.__c.__z||(t.__c.__z=T)))?(t.__e=T,l=c):t.__e=l,l=l&&l.nextSibling}else r&&r.some(ne);else t.__e=n.__e;t.__k||
(t.__k=n.__k||[]),H&&H.then||$t(t),w.__e(H,t,n)}}else l=t.__e=wo(n.__e,t,n,o,i,r,a,d,f,e);return(c=w.diffed)&&c(t),l}function Oe(e,t){
if(e&&e.nodeType==8&&e.data.startsWith("$s"))for(var n=1;e=e.nextSibling;){if(e.nodeType==8){if(e.data.startsWith("$s"))
n++;else if(e.data.startsWith("/$s")&&!--n)return e}t&&t.push(e)}}function $t(e){e&&(e.__c&&(e.__c.__g|=4),e.__k&&e.__k.
some($t))}function Ht(e,t,n){for(var o=0;o<n.length;)rt(n[o++],n[o++],n[o++]);w.__c&&w.__c(t,e),e.some(function(i){try{e=
i.__h,i.__h=[],e.some(function(r){r.call(i)})}catch(r){w.__e(r,i.__v)}})}function wo(e,t,n,o,i,r,a,l,d,f){var c,p,g,u,m,
v,h,_,y=n.props||Ne,x=t.props,k=t.type;if(k=="svg"?i="http://www.w3.org/2000/svg":k=="math"?i="http://www.w3.org/1998/Ma\
th/MathML":i||(i="http://www.w3.org/1999/xhtml"),r){for(c=0;c<r.length;c++)if((m=r[c])&&(k?m.localName==k:m.nodeType==3)){
e=m,r[c]=null;break}}if(!e){if(_=f.ownerDocument||document,!k)return _.createTextNode(x);e=_.createElementNS(i,k,x.is?x:
f),l&&(w.__m&&w.__m(t,r),l=!1),r=null}if(k){if(f=k=="template"&&e.content||e,r=k=="textarea"&&x.defaultValue!=null?null:
r&&Ot.call(f.childNodes),!l&&r)for(y={},c=0;c<e.attributes.length;c++)y[(m=e.attributes[c]).name]=m.value;for(c in y)m=y[c],
c=="dangerouslySetInnerHTML"?g=m:c=="children"||c in x||c=="value"&&"defaultValue"in x||c=="checked"&&"defaultChecked"in
x||Ce(e,c,null,m,i);for(c in x)m=x[c],c=="children"?u=m:c=="dangerouslySetInnerHTML"?p=m:c=="value"?v=m:c=="checked"?h=m:
l&&typeof m!="function"||y[c]===m||Ce(e,c,m,y[c],i);p?(l||g&&(p.__html==g.__html||p.__html==e.innerHTML)||(e.innerHTML=p.
__html),t.__k=[]):(g&&(e.textContent=""),(k=="foreignObject"||i=="http://www.w3.org/1998/Math/MathML"&&_o.test(k))&&(i="\
http://www.w3.org/1999/xhtml"),Dt(f,st(u)?u:[u],t,n,o,i,r,a,r?r[0]:n.__k&&q(n,0),l,d),r&&r.some(ne)),l&&k!="textarea"||(c=
"value",k=="progress"&&v==null?e.removeAttribute(c):v==null||v===e[c]&&(k!="progress"||v)||Ce(e,c,v,y[c],i),c="checked",
h!=null&&h!=e[c]&&Ce(e,c,h,y[c],i))}else y===x||l&&e.data==x||(e.data=x);return e}function rt(e,t,n,o){try{typeof e=="fu\
nction"?t?t.__x=e(t)||1:o&&(o=o.__c||o.__e)&&(t=o.__x)&&(o.__x=null,typeof t=="function"?t():e(null)):e.current=t}catch(i){
w.__e(i,n)}}function at(e,t,n){var o,i,r,a;if(w.unmount&&w.unmount(e),!(o=e.ref)||o.current&&o.current!=e.__e||rt(o,null,
t,e),o=e.__c){if(o.componentWillUnmount)try{o.componentWillUnmount()}catch(l){w.__e(l,t)}o.__P=o.__n=null}if(o=e.__k)for(a=
0;a<o.length;a++)o[a]&&at(o[a],t,typeof e.type!="function"||n&&!e.props.__P);!n&&(o=e.__c)&&(o=o.__z)&&(i=Oe(o,r=[]))&&(o==
e.__e&&r.some(ne),ne(i),ne(o)),n||ne(e.__e),e.__e=e.__c=e.__=null}function Mo(e,t,n){return this.constructor(e,n)}function Ft(e,t){
var n,o,i,r;w.__&&w.__(e,t),t.nodeType==9&&(t=t.documentElement),o=(n=e&&32&e.__u)?null:t.__k,t.__k=Ae(E,{children:[e]}),
i=[],r=[],it(t,t.__k,o||Ne,Ne,t.namespaceURI,o?null:t.firstChild?Ot.call(t.childNodes):null,i,o?o.__e:t.firstChild,n,r),
Ht(i,t.__k,r),t.__k.props.children=null}w={__e:function(e,t,n,o){for(var i,r,a;t=t.__;)if((i=t.__c)&&!(1&i.__g)){i.__g|=4;try{if((a=(r=i.constructor)&&r.getDerivedStateFromError)&&
i.setState(r.getDerivedStateFromError(e)),i.componentDidCatch&&(i.componentDidCatch(e,o||{}),a=1),a&&8&i.__g)return void(i.
__g|=2)}catch(l){e=l}}throw Le=0,e}},Tt=0,ho=function(e){return e!=null&&e.constructor===ve},Re.prototype.setState=function(e,t){
var n=this.__s;n&&n!=this.state||(n=this.__s=oe({},this.state)),typeof e=="function"&&(e=e(oe({},n),this.props)),e&&(oe(
n,e),this.__v&&(t&&this.__k.push(t),Pt(this)))},Re.prototype.forceUpdate=function(e){this.__v&&(this.__g|=4,e&&this.__h.
push(e),Pt(this))},Re.prototype.render=E,G=[],Le=0,At=function(e,t){return e.__v.__b-t.__v.__b},Te=Symbol(),Rt=/(PointerCapture)$|Capture$/i,
ot=0,nt={},go=0;var le,A,lt,Wt,ct=Object.is,Ie=0,qt=[],ut=[],C=w,jt=C.__b,Ut=C.__r,Bt=C.diffed,Kt=C.__c,zt=C.unmount,Vt=C.__;function $e(e,t){
C.__h&&C.__h(A,e,Ie||t),Ie=0;var n=A.__H||(A.__H={__:[],__h:[]});return e>=n.__.length&&n.__.push({}),n.__[e]}function M(e){
return Ie=1,se(Yt,e)}function se(e,t,n){var o=$e(le++,2);if(o.t=e,!o.__c&&(o.__=[n?n(t):Yt(void 0,t),function(r){var a=(o.
__N||o.__)[0],l=o.t(a,r);ct(a,l)||(o.__N=[l,o.__[1]],o.__c.setState({}))}],o.__c=A,!A.__f)){A.__f=!0;var i=A.shouldComponentUpdate;
A.shouldComponentUpdate=function(r,a,l){var d=this.__H;if(!d)return!0;var f=!1,c=this.props!=r;if(d.__.some(function(g){
g.__N&&(f=!0,ct(g.__[0],g.__N[0])||(c=!0))}),i){var p=i.call(this,r,a,l);return f?p||c:p}return!f||c}}return o.__}function L(e,t){
var n=$e(le++,3);!C.__s&&ft(n.__H,t)&&(n.__P=!0,n.__=e,n.u=t,A.__H.__h.push(n))}function F(e,t){var n=$e(le++,4);!C.__s&&
ft(n.__H,t)&&(n.__P=!1,n.__=e,n.u=t,A.__h.push(n))}function P(e){return Ie=5,xo(function(){return{current:e}},[])}function xo(e,t){var n=$e(le++,7);return ft(n.__H,t)&&(n.__=e(),n.__H=t),n.__}function So(){var e;do{for(;e=ut.shift();)try{be(e)}catch(n){C.__e(n,{__:(e=e.__P)&&e.__v})}for(;e=qt.shift();){var t=e.
__H;if(e.__P&&t)try{t.__h.some(be),t.__h.some(dt),t.__h=[]}catch(n){t.__h=[],C.__e(n,e.__v)}}}while(ut.length)}C.__b=function(e){
A=null,jt&&jt(e)},C.__=function(e,t){e&&t.__k&&t.__k.__m&&(e.__m=t.__k.__m),Vt&&Vt(e,t)},C.__r=function(e){Ut&&Ut(e),le=
0;var t=(A=e.__c).__H;t&&(lt==A?A.__h=[]:(t.__h.some(be),t.__h.some(dt),le=0),t.__h=[],t.__.some(function(n){n.__N&&(n.__=
n.__N),n.u=n.__N=void 0})),lt=A},C.diffed=function(e){Bt&&Bt(e);var t=e.__c;t&&t.__H&&(t.__H.__h.length&&Gt(qt.push(t)),
t.__H.__.some(function(n){n.u&&(n.__H=n.u)})),lt=A=null},C.__c=function(e,t){t.some(function(n){try{n.__h.some(be),n.__h=
n.__h.filter(function(o){return!o.__||dt(o)})}catch(o){n.__h=[function(){throw o}]}}),Kt&&Kt(e,t)},C.unmount=function(e){
zt&&zt(e);var t,n,o=e.__c;o&&o.__H&&(o.__H.__.some(function(i){try{if(i.__P&&i.__c){if(n===void 0){for(n=e.__;n&&(!n.__c||
!n.__c.__P);)n=n.__;n=n&&n.__c}i.__P=n,Gt(ut.push(i))}else be(i)}catch(r){t=r}}),o.__H=void 0,t&&C.__e(t,o.__v))};var Xt=typeof requestAnimationFrame==
"function";function Eo(e){var t,n=function(){clearTimeout(o),Xt&&cancelAnimationFrame(t),setTimeout(e)},o=setTimeout(n,35);
Xt&&(t=requestAnimationFrame(n))}function Gt(e){e!=1&&Wt==C.requestAnimationFrame||((Wt=C.requestAnimationFrame)||Eo)(So)}
function be(e){var t=A,n=e.__c;typeof n=="function"&&(e.__c=void 0,n()),A=t}function dt(e){var t=A;e.__c=e.__(),A=t}function ft(e,t){
return!e||e.length!=t.length||t.some(function(n,o){return!ct(n,e[o])})}function Yt(e,t){return typeof t=="function"?t(e):
t}function Y(e){return typeof e=="object"&&e!==null&&!Array.isArray(e)}var N=e=>typeof e=="string"?e:null,ke=e=>typeof e==
"number"&&Number.isFinite(e)&&e>=0?e:null;function Po(e){let t=/^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(
e);return t?`${t[1]}.${(t[2]??"").padEnd(6,"0").slice(0,6)}`:null}function Zt(e){if(!Y(e))return null;let t=N(e.id),n=N(
e.user_id),o=N(e.username),i=N(e.content),r=N(e.created_at),a=r===null?null:Po(r);return t===null||n===null||o===null||i===
null||r===null||!a?null:{id:t,key:a,userId:n,username:o,content:i,createdAt:r,isBot:e.is_bot===!0,isError:e.is_error===!0}}
function Jt(e){return!Y(e)||!Array.isArray(e.messages)?[]:e.messages.map(Zt).filter(t=>t!==null)}function pt(e){if(!Y(e))
return null;let t=N(e.id),n=N(e.name),o=N(e.created_at);return t===null||n===null||o===null?null:{id:t,name:n,createdAt:o,
createdBy:N(e.created_by)??"",isEphemeral:e.ephemeral===!0,userCount:ke(e.user_count)??0}}function Qt(e){return!Y(e)||!Array.
isArray(e.chatrooms)?{rooms:[],cursor:null}:{rooms:e.chatrooms.map(pt).filter(t=>t!==null),cursor:N(e.next_cursor)||null}}
function en(e){if(!Y(e))return null;let t=N(e.id),n=N(e.username);return t===null||n===null?null:{id:t,username:n}}function Co(e){
let t=new Map;if(Y(e))for(let[n,o]of Object.entries(e)){let i=ke(o);i!==null&&t.set(n,i)}return t}function To(e){if(!Y(e))
return null;let t=N(e.username),n=ke(e.connections);return t===null||n===null||n<1?null:{username:t,connections:n}}function tn(e){
let t;try{t=JSON.parse(e)}catch{return null}if(!Y(t))return null;switch(t.type){case"chat_message":{let n=Zt(t);return n&&
{type:"chat_message",post:n}}case"message_ack":{let n=N(t.id);return n===null?null:{type:"message_ack",id:n,clientKey:N(
t.client_key)}}case"user_joined":case"user_left":{let n=N(t.username);return n===null?null:{type:t.type,username:n}}case"\
room_roster":return Array.isArray(t.members)?{type:"room_roster",members:t.members.map(To).filter(n=>n!==null),more:ke(t.
more)??0}:null;case"user_count_update":return{type:"user_count_update",counts:Co(t.user_counts)};case"error":return{type:"\
error",message:N(t.message)??"The server refused this",clientKey:N(t.client_key),waitMs:ke(t.retry_after_ms)};default:return null}}var Ao=2e4,nn=6e4,Ro=4,R=class extends Error{constructor(n,o,i){super(o);this.status=n;this.waitMs=i}};function Oo(e){let t=Number(
e.headers.get("Retry-After")??NaN);return Number.isFinite(t)&&t>=0?t*1e3:null}function Lo(e){let t=typeof e=="object"&&e!==
null?e.error:null;return typeof t=="string"?t:null}async function Z(e,t,n,o=Ao){let i;try{i=await fetch(`/api/v1${t}`,{method:e,
credentials:"same-origin",keepalive:e==="POST",signal:AbortSignal.timeout(o),...n===void 0?{}:{headers:{"Content-Type":"\
application/json"},body:JSON.stringify(n)}})}catch{throw new R(0,"The server cannot be reached",null)}let r=await i.json().
catch(()=>null);if(!i.ok)throw new R(i.status,Lo(r)??"Something went wrong",Oo(i));return r}function on(e){if(e===null)throw new R(
0,"The server gave an answer that makes no sense",null);return e}var D={async register(e,t,n){await Z("POST","/auth/regi\
ster",{username:e,email:t,password:n},nn)},async login(e,t){await Z("POST","/auth/login",{username:e,password:t},nn)},async logout(){
await Z("POST","/auth/logout")},async me(){return on(en(await Z("GET","/auth/me")))},async rooms(e,t){let n=e===null?"":
`&cursor=${encodeURIComponent(e)}`;return Qt(await Z("GET",`/chatrooms?limit=${t}${n}`))},async create(e,t){return on(pt(
await Z("POST","/chatrooms",t?{name:e,ephemeral:t}:{name:e})))},async join(e){await Z("POST",`/chatrooms/${encodeURIComponent(
e)}/join`)},async messages(e,t,n){let o=n===null?"":`&before=${encodeURIComponent(n)}`;return Jt(await Z("GET",`/chatroo\
ms/${encodeURIComponent(e)}/messages?limit=${t}${o}`))}};async function He(e,t){for(let n=1;;n++)try{return await e()}catch(o){
if(!(o instanceof R&&(o.status===429||o.status===503))||n===Ro||!t())throw o;await new Promise(r=>setTimeout(r,(o.waitMs??
1e3)+Math.random()*250))}}var J=class{constructor(){this.watchers=new Set;this.planned=!1}watch(t){return this.watchers.add(t),()=>this.watchers.delete(
t)}changed(){if(this.planned)return;this.planned=!0;let t=!1,n=()=>{if(!t){t=!0,this.planned=!1;for(let o of[...this.watchers])
o()}};requestAnimationFrame(n),setTimeout(n,50)}};var sn="confab",we=(e,t)=>`${sn}.${e}.${t}`;function rn(e,t){try{let n=JSON.parse(sessionStorage.getItem(we(e,t))??"{}");
return{draft:typeof n.draft=="string"?n.draft:"",unsent:(Array.isArray(n.unsent)?n.unsent:[]).filter(o=>typeof o?.key=="\
string"&&typeof o.content=="string"&&typeof o.atMs=="number")}}catch{return{draft:"",unsent:[]}}}function an(e,t,n){try{
n.draft||n.unsent.length>0?sessionStorage.setItem(we(e,t),JSON.stringify(n)):sessionStorage.removeItem(we(e,t))}catch{}}
function ln(e){let t=we(e,"");try{let n=Object.keys(sessionStorage).filter(o=>o.startsWith(t));return new Set(n.map(o=>o.
slice(t.length)))}catch{return new Set}}function mt(){cn(()=>!0)}function ht(e){cn(t=>!t.startsWith(we(e,"")))}function cn(e){
try{for(let t of Object.keys(sessionStorage))t.startsWith(`${sn}.`)&&e(t)&&sessionStorage.removeItem(t)}catch{}}var dn={phase:"idle",ending:null,attempt:0,rejoin:!0,liveSinceMs:0,dueMs:0,wasLive:!1};function _t(e,t){let n=Math.min(3e4,
2e3*2**e);return Math.round(300+t*(n-300))}function No(e){let t=/\bretry_after_ms=(\d{1,7})\b/.exec(e);return t?Number(t[1]):
null}function fn({phase:e,attempt:t,wasLive:n}){return e==="waiting"?"waiting":e==="live"||e==="ended"||e==="idle"?null:
t>0||n?"trying":null}function gt(e,t){return[{...e,phase:"ended",ending:t,liveSinceMs:0,dueMs:0},[{do:"drop"}]]}function Me(e){
let t=e.rejoin?"joining":"connecting",n=e.rejoin?[{do:"join"}]:[{do:"connect"},{do:"wait",ms:15e3}];return[{...e,phase:t,
liveSinceMs:0,dueMs:0},n]}function yt(e,t,n){return[{...e,phase:"waiting",attempt:e.attempt+1,liveSinceMs:0,dueMs:n+t},[
{do:"drop"},{do:"wait",ms:t}]]}function un(e,{status:t,waitMs:n},o,i){if(t===401)return gt(e,"signed-out");if(t===404)return gt(
e,"gone");let r=e.rejoin||t===403;return yt({...e,rejoin:r},Math.max(n??0,_t(e.attempt,i)),o)}function Fe(e,{code:t,reason:n},o,i){
let a=e.liveSinceMs>0&&o-e.liveSinceMs>=1e4?0:e.attempt,l=e.rejoin||e.phase==="connecting"||t===1008,d={...e,attempt:a,rejoin:l};
return t===1008&&a===0?Me({...d,attempt:1}):yt(d,No(n)??_t(a,i),o)}function pn(e,t,n,o){let i=[e,[]];if(e.phase==="ended")
return i;if(t.type==="left")return gt(e,"left");switch(e.phase){case"idle":return t.type==="start"?Me(e):i;case"joining":
return t.type==="joined"?Me({...e,rejoin:!1}):t.type==="refused"?un(e,t,n,o):i;case"connecting":return t.type==="opened"?
[{...e,phase:"entering"},[{do:"wait",ms:5e3}]]:t.type==="due"?yt({...e,rejoin:!0},_t(e.attempt,o),n):t.type==="closed"?Fe(
e,t,n,o):i;case"entering":return t.type==="welcomed"||t.type==="due"?[{...e,phase:"filling"},[{do:"fill"}]]:t.type==="cl\
osed"?Fe(e,t,n,o):i;case"filling":return t.type==="filled"?[{...e,phase:"live",liveSinceMs:n,wasLive:!0},[]]:t.type==="r\
efused"?un(e,t,n,o):t.type==="closed"?Fe(e,t,n,o):i;case"live":if(t.type==="closed")return Fe(e,t,n,o);if(t.type==="woke\
n"){let[r,a]=Me(e);return[r,[{do:"drop"},...a]]}return i;case"waiting":return t.type==="due"||t.type==="woken"?Me(e):i}}var mn={posts:[],pages:0};function hn(e,t,n,o){let i={posts:[...t,...e.posts],pages:e.pages+1},r=t[0];return!r||t.length<
n?[i,{more:!1,touches:!0,reachedStart:!0}]:o===null?[i,{more:!1,touches:!0,reachedStart:!1}]:r.key<=o?[i,{more:!1,touches:!0,
reachedStart:!1}]:i.pages>=20?[i,{more:!1,touches:!1,reachedStart:!1}]:[i,{more:!0,before:r.id}]}var We=class{constructor(){this.posts=[];this.latestMs=0}add(t,n){this.posts=[...this.posts,...t].slice(-10),this.latestMs=
n}expire(t){return this.posts.length===0||t-this.latestMs<2e4?!1:(this.posts=[],!0)}};function gn({username:e,content:t}){
return`${e}: ${[...t].slice(0,300).join("")}`}var je=class{constructor(){this.people=new Map;this.leftOut=null;this.connections=0;this.version=0}reset(){this.people.clear(),
this.leftOut=null,this.version++}listed(t,n){this.people=new Map(t.map(({username:o,connections:i})=>[o,i])),this.leftOut=
n,this.version++}joined(t){this.people.set(t,(this.people.get(t)??0)+1),this.version++}left(t){let n=this.people.get(t)??
0;n>1?this.people.set(t,n-1):n===1?this.people.delete(t):this.named(),this.version++}wrote(t){this.people.has(t)||this.leftOut!==
0&&(this.named(),this.people.set(t,1),this.version++)}counted(t){t!==this.connections&&(this.connections=t,this.version++)}names(t){
let n=[...this.people.keys()].filter(o=>o!==t).sort((o,i)=>o.localeCompare(i));return this.people.has(t)?[t,...n]:n}get more(){
return this.leftOut??0}get unnamed(){if(this.leftOut!==null)return 0;let t=0;for(let n of this.people.values())t+=n;return Math.
max(0,this.connections-t)}named(){this.leftOut&&this.leftOut--}};var _n=String.raw`[ \t\r\n\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]`,Do=new RegExp(`^${_n}+|${_n}+$`,
"g");function ce(e){let t=e.replace(Do,"");if(t==="/hello")return{kind:"hello"};let n=/^\/stock=([A-Za-z0-9.]{1,20})$/.exec(
t);return n?.[1]?{kind:"stock",code:n[1].toUpperCase()}:null}var Io=[{insert:"/stock=",title:"/stock=CODE",hint:"Ask Sto\
ckBot for a quote, as in /stock=AAPL.US"},{insert:"/hello",title:"/hello",hint:"A thought for the room"}];function yn(e){
return!e.startsWith("/")||/\s/.test(e)?[]:Io.filter(({insert:t})=>t.startsWith(e)&&t!==e)}function vn(e){if(!e.startsWith(
"/"))return null;let t=ce(e);if(t?.kind==="stock")return{kind:"command",text:`StockBot will look up ${t.code}`};if(t?.kind===
"hello")return{kind:"command",text:"StockBot will say something"};let n=/^\/stock=(.*)$/s.exec(e)?.[1];return n===void 0?
null:n===""?{kind:"unfinished",text:"Type a symbol, as in AAPL.US"}:{kind:"ordinary",text:"Not a symbol (1 to 20 letters\
, digits and dots): sent as a message"}}function bn(e,t){return e.kind==="hello"||t.toUpperCase().includes(e.code)}var ue=5e3,$o=200,kn=3,Ue=class{constructor(){this.posts=[];this.pending=[];this.atStart=!1;this.atEnd=!0;this.version=0;
this.extras=[];this.extraCount=0;this.ids=new Map;this.ownKeys=new Map;this.cached={version:-1,entries:[]}}has(t){return this.
ids.has(t)}get newest(){return this.posts[this.posts.length-1]}live(t){return t.isBot?(this.settleCommands(t),this.addExtra(
{kind:"bot",post:t}),!0):(this.matchOwn(t),!this.atEnd||!this.insert(t)?!1:(this.posts.length>ue&&this.dropOldest(this.posts.
length-ue),!0))}fill(t,n,o){!n&&this.posts.length>0&&this.forgetPosts();for(let i of t)this.matchOwn(i),this.insert(i);o&&
(this.atStart=!0),this.atEnd=!0,this.posts.length>ue&&this.dropOldest(this.posts.length-ue),this.version++}prepend(t,n){
for(let o of t)this.insert(o);if(n&&(this.atStart=!0),this.posts.length>ue){for(let o of this.posts.splice(ue))this.ids.
delete(o.id);this.atEnd=!1}this.version++}forgetPosts(){this.posts=[],this.ids.clear(),this.extras=[],this.atStart=!1,this.
atEnd=!0,this.version++}insert(t){if(this.ids.has(t.id))return!1;let n=0,o=this.posts.length;for(o>0&&this.posts[o-1].key<
t.key&&(n=o);n<o;){let i=n+o>>1;this.posts[i].key<t.key?n=i+1:o=i}return this.posts.splice(n,0,t),this.ids.set(t.id,t),this.
version++,!0}dropOldest(t){for(let o of this.posts.splice(0,t))this.ids.delete(o.id),this.ownKeys.delete(o.id);let n=this.
posts[0]?.key??"";this.extras=this.extras.filter(({after:o})=>o>=n),this.atStart=!1,this.version++}queue(t,n,o){let i={key:t,
content:n,atMs:o,sentMs:0,sends:0,state:"sending",id:null,error:null,retryAtMs:0,isCommand:ce(n)!==null};return this.pending.
push(i),this.version++,i}unsent(){return this.giveUp(({sends:t})=>t>=kn),this.sending()}isUnanswered(t){let n=({sentMs:o})=>o>
0&&o<t;return this.giveUp(o=>o.sends>=kn&&n(o)),this.sending().some(n)}sending(){return this.pending.filter(({state:t})=>t===
"sending")}giveUp(t){for(let n of this.sending())t(n)&&this.fail(n.key,"The server has not confirmed it",0)}sent(t,n){t.
sentMs=n,t.sends++,t.isCommand&&(t.state="asked"),this.version++}ack(t,n){let o=this.find(t);o&&(o.id=n,o.state="stored",
o.error=null,this.version++,this.ids.has(n)&&this.settle(o,n))}fail(t,n,o){let i=this.find(t);return!i||i.state==="store\
d"?!1:(i.state="failed",i.error=n,i.retryAtMs=o,this.version++,!0)}retry(t){let n=this.find(t);if(n?.state==="failed")return n.
state="sending",n.error=null,n.sentMs=0,n.sends=0,this.version++,n}discard(t){this.pending=this.pending.filter(n=>n.key!==
t),this.version++}lostSocket(){for(let t of this.pending)t.state==="asked"&&this.fail(t.key,"The connection was lost bef\
ore StockBot answered",0)}find(t){return t===null?void 0:this.pending.find(n=>n.key===t)}matchOwn(t){let n=this.pending.
find(({id:o})=>o===t.id);n&&this.settle(n,t.id)}settle(t,n){this.ownKeys.set(n,t.key),this.discard(t.key)}echo(t){let n=this.
pending.find(o=>o.isCommand&&o.state==="asked"&&o.content===t);return n&&this.answered(n),n!==void 0}note(t,n,o){this.addExtra(
{kind:t,username:n,atMs:o})}settleCommands(t){let n=this.pending.find(o=>{let i=o.state==="asked"?ce(o.content):null;return i!==
null&&bn(i,t.content)});n&&this.answered(n)}answered(t){this.discard(t.key),this.addExtra({kind:"asked",content:t.content},
t.key)}addExtra(t,n=`extra-${++this.extraCount}`){this.extras.push({id:n,after:this.newest?.key??"",extra:t}),this.extras.
length>$o&&this.extras.shift(),this.version++}entries(){if(this.cached.version===this.version)return this.cached.entries;
let t=[],n=0,o=i=>{for(let r=this.extras[n];r&&(i===null||r.after<i);r=this.extras[++n])Ho(t,r)};for(let i of this.posts)
o(i.key),t.push({kind:"post",id:this.ownKeys.get(i.id)??i.id,post:i});this.atEnd&&o(null);for(let i of this.pending)t.push(
{kind:"pending",id:i.key,pending:i});return this.cached={version:this.version,entries:t},t}};function Ho(e,{id:t,extra:n}){
let o=e[e.length-1];n.kind==="bot"?e.push({kind:"bot",id:t,post:n.post}):n.kind==="asked"?e.push({kind:"asked",id:t,content:n.
content}):o?.kind==="notes"?o.notes.push(n):e.push({kind:"notes",id:t,notes:[n]})}var Wo=12e3,jo=2e3,Uo=9e4;function Bo(){return[...crypto.getRandomValues(new Uint8Array(16))].map(e=>e.toString(16).padStart(
2,"0")).join("")}var Be=class extends J{constructor(n,o,i){super();this.id=n;this.me=o;this.events=i;this.timeline=new Ue;
this.presence=new je;this.connection=dn;this.trouble=null;this.unread=0;this.unreadAfter=null;this.heard=new We;this.loadingOlder=
!1;this.olderFailed=!1;this.socket=null;this.confirmed=null;this.isWatched=!1;this.early=[];this.tickedMs=Date.now();let r=rn(
o.id,n);this.draft=r.draft,this.isUnfinished=r.draft!==""||r.unsent.length>0;for(let{key:a,content:l,atMs:d,error:f}of r.
unsent)this.timeline.queue(a,l,d),f&&this.timeline.fail(a,f,0);this.ticker=setInterval(()=>this.tick(),jo),this.on({type:"\
start"})}leave(){clearInterval(this.ticker),this.on({type:"left"})}wake(){this.on({type:"woken"})}setWatched(n){n&&!this.
isWatched&&this.unread===0&&(this.unreadAfter=null),this.isWatched=n,n&&(this.unread=0),this.tick(),this.changed(),this.
events.noticed()}setDraft(n){this.draft=n,this.remember(),this.changed()}send(n){let o=this.timeline.queue(Bo(),n,Date.now());
this.unreadAfter=null,this.transmit(o),this.setDraft("")}retry(n){let o=this.timeline.retry(n);o&&this.transmit(o),this.
remember(),this.changed()}discard(n){this.timeline.discard(n),this.remember(),this.changed()}dismissTrouble(){this.trouble!==
null&&(this.trouble=null,this.changed())}async loadOlder(){let n=this.timeline.posts[0];if(this.loadingOlder||this.timeline.
atStart||!n)return;this.loadingOlder=!0,this.olderFailed=!1,this.changed();let o=()=>this.connection.phase!=="ended"&&this.
timeline.posts[0]?.id===n.id;try{let i=await He(()=>D.messages(this.id,50,n.id),o);o()&&this.timeline.prepend(i,i.length<
50)}catch(i){let r=i instanceof R?i.status:0;r===401&&this.events.signedOut(),r===400&&this.timeline.prepend([],!0),this.
olderFailed=r!==400}this.loadingOlder=!1,this.changed()}async loadNewest(){if(!(this.timeline.atEnd||this.connection.phase!==
"live")){this.timeline.forgetPosts(),this.changed();try{let n=await D.messages(this.id,50,null);this.timeline.fill(n,!0,
n.length<50)}catch{this.wake()}this.changed()}}on(n){let[o,i]=pn(this.connection,n,Date.now(),Math.random()),r=this.connection;
this.connection=o,o.phase!==r.phase&&(clearTimeout(this.timer),r.phase==="live"&&this.timeline.lostSocket(),o.phase==="e\
nded"&&o.ending==="signed-out"&&this.events.signedOut());for(let a of i)this.run(a);this.changed()}run(n){switch(n.do){case"\
join":this.attempt(()=>D.join(this.id),{type:"joined"});break;case"connect":this.connect();break;case"fill":this.attempt(
()=>Promise.all([this.confirm(),this.fill()]),{type:"filled"});break;case"drop":this.socket?.close(1e3),this.socket=null;
break;case"wait":this.timer=setTimeout(()=>this.on({type:"due"}),n.ms);break}}attempt(n,o){let{phase:i}=this.connection,
{socket:r}=this,a=()=>this.connection.phase===i&&this.socket===r;n().then(()=>a()&&this.on(o),l=>{let d=l instanceof R?l:
new R(0,"",null);a()&&this.on({type:"refused",status:d.status,waitMs:d.waitMs})})}connect(){let n=location.protocol==="h\
ttps:"?"wss":"ws",o=new WebSocket(`${n}://${location.host}/ws/chat/${encodeURIComponent(this.id)}?roster=1`);this.socket=
o,this.early=[];let i=r=>a=>{this.socket===o&&r(a)};o.onopen=i(()=>{this.presence.reset(),this.on({type:"opened"})}),o.onmessage=
i(({data:r})=>{let a=typeof r=="string"?tn(r):null;a&&this.take(a)}),o.onclose=i(({code:r,reason:a})=>{this.socket=null,
this.on({type:"closed",code:r,reason:a})})}take(n){switch(n.type){case"room_roster":this.presence.listed(n.members,n.more);
break;case"user_joined":this.presence.joined(n.username),this.connection.phase==="entering"?this.on({type:"welcomed"}):n.
username!==this.me.username&&this.timeline.note("joined",n.username,Date.now());break;case"user_left":this.presence.left(
n.username),n.username!==this.me.username&&this.timeline.note("left",n.username,Date.now());break;case"chat_message":this.
connection.phase==="live"?this.takePost(n.post):this.early.push(n.post);break;case"message_ack":this.timeline.ack(n.clientKey,
n.id),this.remember();break;case"user_count_update":{let o=n.counts.get(this.id);o!==void 0&&this.presence.counted(o),this.
events.counts(n.counts);break}case"error":this.takeError(n);break}this.changed()}takePost(n){if(n.isBot||this.presence.wrote(
n.username),!n.isBot&&ce(n.content)){this.timeline.echo(n.content);return}let o=this.timeline.newest?.key??"";this.timeline.
live(n)&&this.count([n],o),this.remember()}count(n,o){let i=n.filter(({userId:r,key:a})=>r!==this.me.id&&a>o);if(i.length!==
0){if(this.isWatched){this.heard.add(i,Date.now());return}this.unread===0&&(this.unreadAfter=o),this.unread+=i.length,this.
events.noticed()}}takeError(n){let o=n.waitMs===null?0:Date.now()+n.waitMs;(!this.timeline.fail(n.clientKey,n.message,o)||
o>0)&&(this.trouble={message:n.message,untilMs:o}),this.remember()}async confirm(){let{socket:n}=this;await this.events.
confirm(),!(n===null||this.socket!==n)&&(this.confirmed=n,this.timeline.unsent().forEach(o=>this.transmit(o)))}async fill(){
let{timeline:n,socket:o}=this,i=n.newest?.key??null,r=i===null?50:100,a=mn;for(let d=null;n.atEnd;){let f=await this.pageOrNothing(
r,d);if(this.socket!==o)return;let[c,p]=hn(a,f,r,i);if(a=c,!p.more){n.fill(a.posts,p.touches,p.reachedStart),i!==null&&this.
count(a.posts,i);break}d=p.before}let{early:l}=this;this.early=[];for(let d of l)this.takePost(d);this.remember()}async pageOrNothing(n,o){
try{return await D.messages(this.id,n,o)}catch(i){if(o!==null&&i instanceof R&&i.status===400)return[];throw i}}transmit(n){
this.socket===null||this.socket!==this.confirmed||this.socket.readyState===WebSocket.OPEN&&(this.socket.send(JSON.stringify(
{type:"chat_message",content:n.content,client_key:n.key})),this.timeline.sent(n,Date.now()),this.changed())}tick(){let n=Date.
now(),{version:o}=this.timeline,i=n-this.tickedMs>Uo;this.tickedMs=n;let r=this.connection.phase==="live"&&this.timeline.
isUnanswered(n-Wo);(i||r)&&this.wake(),this.heard.expire(n)&&this.changed(),this.timeline.version!==o&&(this.remember(),
this.changed())}remember(){if(this.connection.phase==="ended")return;let n=this.timeline.pending.filter(({state:i})=>i===
"sending"||i==="failed"),o=this.isUnfinished;this.isUnfinished=this.draft!==""||n.length>0,an(this.me.id,this.id,{draft:this.
draft,unsent:n.map(({key:i,content:r,atMs:a,error:l})=>({key:i,content:r,atMs:a,error:l}))}),this.isUnfinished!==o&&this.
events.noticed()}};var Ke=class{constructor(){this.rooms=[];this.cursor=void 0;this.version=0;this.byId=new Map}get(t){return this.byId.get(
t)}get isComplete(){return this.cursor===null}append(t){let n=t.rooms.filter(({id:o})=>!this.byId.has(o));t.rooms.forEach(
o=>this.put(o)),this.set([...this.rooms,...n]),this.cursor=t.cursor}refresh(t){let n=this.rooms.length===0||t.rooms.some(
({id:d})=>this.byId.has(d))||t.cursor===null,o=n?this.rooms:[],i=new Set(t.rooms.map(({id:d})=>d)),r=o.findIndex(({id:d})=>i.
has(d)),a=o.slice(0,Math.max(0,r)),l=o.slice(a.length).filter(({id:d})=>!i.has(d));return n||this.byId.clear(),t.rooms.forEach(
d=>this.put(d)),this.set([...a,...t.rooms,...l]),(!n||this.cursor===void 0)&&(this.cursor=t.cursor),n}add(t){this.byId.has(
t.id)||(this.put(t),this.set([t,...this.rooms]))}counted(t){this.rooms.forEach((n,o)=>{let i=t.get(n.id);(i!==void 0||o<
500)&&(n.userCount=i??0)}),this.version++}search(t){let n=wn(t.trim());return n?this.rooms.filter(({name:o})=>wn(o).includes(
n)):this.rooms}put(t){let n=this.byId.get(t.id);n?Object.assign(n,t):this.byId.set(t.id,t)}set(t){this.rooms=t.map(({id:n})=>this.
byId.get(n)),this.version++}};function wn(e){return e.normalize("NFD").replace(new RegExp("\\p{M}","gu"),"").toLowerCase()}var Ko=3e4,vt=50,zo=100,Vo=4,ze=class extends J{constructor(n,o){super();this.me=n;this.onEnd=o;this.list=new Ke;this.room=
null;this.isListing=!1;this.listError=null;this.opened=[];this.isVisible=()=>document.visibilityState==="visible";this.onLook=
()=>{this.room?.setWatched(this.isVisible()),this.isVisible()&&this.refresh()};this.onOnline=()=>{for(let n of this.opened)
n.wake()};this.poll=setInterval(()=>this.isVisible()&&this.refresh(),Ko),document.addEventListener("visibilitychange",this.
onLook),window.addEventListener("focus",this.onLook),window.addEventListener("online",this.onOnline),this.loadMore(vt)}close(){
clearInterval(this.poll),document.removeEventListener("visibilitychange",this.onLook),window.removeEventListener("focus",
this.onLook),window.removeEventListener("online",this.onOnline);for(let n of this.opened)this.shut(n)}logout(){this.onEnd(
"asked")}async confirm(){if((await D.me()).id!==this.me.id)throw this.onEnd("replaced"),new R(401,"Someone else has logg\
ed in",null)}get unread(){return this.opened.reduce((n,{unread:o})=>n+o,0)}openRoom(n){return this.opened.find(o=>o.id===
n)}show(n){if(this.room?.id!==n){if(this.room?.setWatched(!1),this.room=null,n!==null){let o=this.openRoom(n),i=o&&o.connection.
phase!=="ended"?o:new Be(n,this.me,{counts:r=>{this.list.counted(r),this.changed()},confirm:()=>this.confirm(),signedOut:()=>this.
onEnd("ended"),noticed:()=>this.changed()});o&&o!==i&&this.shut(o),this.opened=[i,...this.opened.filter(r=>r!==i)],this.
opened.slice(Vo).forEach(r=>this.shut(r)),this.room=i,i.setWatched(this.isVisible()),this.seekOpened(i)}this.changed()}}shut(n){
this.opened=this.opened.filter(o=>o!==n),n.leave()}async create(n,o){let i=await D.create(n,o);return this.list.add(i),this.
changed(),i}async loadMore(n=zo){let{cursor:o}=this.list;this.isListing||o===null||await this.listing(async()=>{let i=await He(
()=>D.rooms(o??null,n),()=>!0);this.list.append(i)})}async refresh(){if(!this.isListing){if(this.list.cursor===void 0)return this.
loadMore(vt);await this.listing(async()=>{this.list.refresh(await D.rooms(null,vt))})}}async seekOpened(n){let o=()=>this.
list.get(n.id)!==void 0,i=()=>this.room===n,r=this.list.cursor===void 0;for(;this.isListing;)await new Promise(a=>setTimeout(
a,50));!r&&!o()&&i()&&await this.refresh(),await this.seek(o,i)}async seek(n,o){for(;!n()&&!this.list.isComplete&&o();)if(this.
isListing?await new Promise(i=>setTimeout(i,50)):await this.loadMore(),this.listError!==null)return}async listing(n){this.
isListing=!0,this.changed();try{await n(),this.listError=null}catch(o){o instanceof R&&o.status===401&&this.onEnd("ended"),
this.listError=o instanceof Error?o.message:String(o)}this.isListing=!1,this.changed()}};var Xo="confab.session",Ve="confab.leaving";function Go(){try{return localStorage.getItem(Ve)!==null}catch{return!1}}function bt(e){
try{e?localStorage.setItem(Ve,"1"):localStorage.removeItem(Ve)}catch{}}var kt=class extends J{constructor(){super();this.
leaving=Go()?"untold":"no";this.channel="BroadcastChannel"in window?new BroadcastChannel(Xo):null;this.telling=null;window.
addEventListener("storage",({key:n,newValue:o})=>{n===Ve&&this.telling===null&&this.set(o===null?"no":"untold")}),window.
addEventListener("online",()=>this.isLeaving&&void this.tell())}get isLeaving(){return this.leaving==="telling"||this.leaving===
"untold"}listen(n){let o=({data:i})=>{n(i),i.is==="out"?mt():ht(i.user)};return this.channel?.addEventListener("message",
o),()=>this.channel?.removeEventListener("message",o)}async login(n,o){this.isLeaving&&await this.tell(),await D.login(n,
o),bt(!1),this.set("no")}entered(n){ht(n.id),this.say({is:"in",user:n.id})}logout(){mt(),bt(!0),this.say({is:"out"}),this.
tell()}tell(){return this.telling??=this.tellNow().finally(()=>this.telling=null),this.telling}async tellNow(){this.set(
"telling");try{await D.logout()}catch(n){if(!(n instanceof R)||n.status!==401)return this.set("untold")}bt(!1),this.set(
"told")}say(n){this.channel?.postMessage(n)}set(n){this.leaving=n,this.changed()}},W=new kt;function Se(e){let t=0;for(let n of e)t++;return t}function wt(e){return e.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g,
"").replace(/[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]/g,t=>t.length===2?t:"�").replace(/^(?:[ \t]*\r?\n)+/,"").trimEnd()}
var qo=/[\u202a-\u202e\u2066-\u2069]/g,Yo=/[\u0590-\u08ff\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufeff]|[\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
function V(e){return Yo.test(e)?`⁨${e.replace(qo,"")}⁩`:e}function Mn(e){return([...e.trim()].find(n=>n!=="_")??"?").
toUpperCase()}var Zo=12;function xn(e){let t=2166136261;for(let n of new TextEncoder().encode(e))t=Math.imul(t^n,16777619);
return(t>>>0)%Zo}function Sn(e){let t=[],n=0;for(let o of e.matchAll(/\bhttps?:\/\/[^\s<>"'`]+/gi)){let i=o[0].replace(/[.,;:!?…]+$/,
"");i.endsWith(")")&&!i.includes("(")&&(i=i.slice(0,-1));let r;try{r=new URL(i).href}catch{continue}o.index>n&&t.push({text:e.
slice(n,o.index)}),t.push({text:i,href:r}),n=o.index+i.length}return n<e.length&&t.push({text:e.slice(n)}),t}function En(e,t=3){
if(e.length<=1)return e.join("");if(e.length<=t)return`${e.slice(0,-1).join(", ")} and ${e[e.length-1]}`;let n=e.length-
(t-1);return`${e.slice(0,t-1).join(", ")} and ${n} others`}function B(e,t,n=`${t}s`){return`${e.toLocaleString()} ${e===
1?t:n}`}var Jo=e=>new TextEncoder().encode(e).length;function Qo(e){let t=Jo(e),n=t===e.length;return t<8?"Use at least 8 charac\
ters.":t<=100?null:n?"This is too long; use at most 100 characters.":`This is too long: it counts ${t} of at most 100. L\
etters without accents, digits and signs count 1, others 2 to 4.`}function Pn(e,t,n){let o={};/^[A-Za-z0-9_]{3,50}$/.test(
e)||(o.username="Use 3 to 50 letters, digits and underscores."),(t.length>255||!/^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$/.
test(t))&&(o.email="This does not look like an e-mail address.");let i=Qo(n);return i!==null&&(o.password=i),o}var Cn="confab-theme",es=["system","light","dark"];function Tn(){try{let e=localStorage.getItem(Cn);return es.find(t=>t===
e)??"system"}catch{return"system"}}function ts(e){e==="system"?delete document.documentElement.dataset.theme:document.documentElement.
dataset.theme=e}function An(e){try{localStorage.setItem(Cn,e)}catch{}ts(e)}var ns=Symbol.for("pv"),os=0;function s(e,t,n,o,i,r){t||(t={});var a,l,d=t;if("ref"in d&&typeof e!="function")for(l in d={},t)l=="ref"?a=t[l]:d[l]=t[l];
var f={type:e,props:d,key:n,ref:a,__k:null,__:null,__b:0,__e:null,__c:null,constructor:ns,__v:--os,__i:-1,__u:0};return(i||
r)&&(f.__source=i,f.__self=r),w.vnode&&w.vnode(f),f}function O(e){return({size:t=20})=>s("svg",{class:"icon",width:t,height:t,viewBox:"0 0 24 24",fill:"none",stroke:"curren\
tColor","stroke-width":"1.75","stroke-linecap":"round","stroke-linejoin":"round","aria-hidden":"true",focusable:"false",
children:e})}var Rn=O(s("path",{d:"M12 5v14M5 12h14"})),On=O(s(E,{children:[s("circle",{cx:"11",cy:"11",r:"6.5"}),s("pat\
h",{d:"m20 20-4.2-4.2"})]})),Ln=O(s(E,{children:[s("circle",{cx:"9",cy:"8",r:"3.5"}),s("path",{d:"M2.5 19.5c.6-3.4 3.2-5\
.5 6.5-5.5s5.9 2.1 6.5 5.5M16 4.8a3.5 3.5 0 0 1 0 6.4M18 14.6c1.8.8 3.1 2.5 3.5 4.9"})]})),Nn=O(s("path",{d:"M12 19V5M5.\
5 11.5 12 5l6.5 6.5"})),Dn=O(s("path",{d:"M12 5v14M5.5 12.5 12 19l6.5-6.5"})),In=O(s(E,{children:[s("circle",{cx:"12",cy:"\
12",r:"4"}),s("path",{d:"M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M18.7 5.3l-1.4 1.4M6.7 \
17.3l-1.4 1.4"})]})),$n=O(s("path",{d:"M20 14.5A8.3 8.3 0 0 1 9.5 4a8.3 8.3 0 1 0 10.5 10.500Z"})),Hn=O(s(E,{children:[s(
"rect",{x:"3",y:"4.5",width:"18",height:"12",rx:"2"}),s("path",{d:"M9 20h6M12 16.500V20"})]})),Fn=O(s("path",{d:"M14 4H7\
a2 2 0 0 0-2 2v12a2 2 0 0 0 2 2h7M10 12h11M17.5 8.5 21 12l-3.5 3.5"})),Wn=O(s("path",{d:"m14.5 5-7 7 7 7"})),Q=O(s("path",
{d:"M6 6l12 12M18 6 6 18"})),jn=O(s("path",{d:"m5 12.5 4.5 4.500L19 7.5"})),Un=O(s(E,{children:[s("circle",{cx:"12",cy:"\
12",r:"8.5"}),s("path",{d:"M12 7.500V12l3 2"})]})),ie=O(s(E,{children:[s("circle",{cx:"12",cy:"12",r:"8.5"}),s("path",{d:"\
M12 8v4.500M12 16v.01"})]})),Xe=O(s("path",{d:"M9.5 4 7.5 20M16.5 4l-2 16M4.5 9h15.500M4 15h15.5"})),Ge=O(s("path",{d:"M\
6.5 3.500h11M6.5 20.500h11M8 3.500c0 5 4 5.5 4 8.500s-4 3.5-4 8.500M16 3.500c0 5-4 5.5-4 8.500s4 3.5 4 8.5"})),Bn=O(s(E,
{children:[s("path",{d:"M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12Z"}),s("circle",{cx:"12",cy:"1\
2",r:"3"})]})),qe=O(s(E,{children:[s("rect",{x:"4.5",y:"8",width:"15",height:"11",rx:"3"}),s("path",{d:"M12 8V4.500M9 13\
v1M15 13v1M2.5 12.500v3M21.5 12.500v3"})]})),Kn=O(s("path",{d:"m4 20 .9-3.700L16 5.200a1.9 1.9 0 0 1 2.7 0l.1.100a1.9 1.\
9 0 0 1 0 2.700L7.7 19.1 4 20Z"})),zn=O(s("path",{d:"M3.5 9.500A12.5 12.5 0 0 1 8 6.800M12.5 6c3 .2 5.8 1.4 8 3.500M6.8 \
13a8 8 0 0 1 3-1.800M14.5 11.400c1 .4 1.9.9 2.7 1.600M12 18v.01M4 4l16 16"}));function re({size:e=28}){return s("svg",{class:"\
brand-mark",width:e,height:e,viewBox:"0 0 32 32","aria-hidden":"true",focusable:"false",children:[s("path",{class:"brand\
-back",d:"M12 10.500a4.5 4.5 0 0 1 4.5-4.500h8a4.5 4.5 0 0 1 4.5 4.500v5.500a4.5 4.5 0 0 1-4.5 4.500H24v3.300a.7.7 0 0 1\
-1.2.500L19 20.500h-2.500a4.5 4.5 0 0 1-4.5-4.500Z"}),s("path",{class:"brand-front",d:"M3 14a4.5 4.5 0 0 1 4.5-4.500h8A4\
.5 4.5 0 0 1 20 14v5.500a4.5 4.5 0 0 1-4.5 4.500H13l-3.8 3.800a.7.7 0 0 1-1.2-.500V24h-.500A4.5 4.5 0 0 1 3 19.500Z"})]})}var Ye=[{theme:"system",name:"as the system",Icon:Hn},{theme:"light",name:"light",Icon:In},{theme:"dark",name:"dark",Icon:$n}];
function Ze(){let[e,t]=M(Tn()),n=Ye.findIndex(a=>a.theme===e),{name:o,Icon:i}=Ye[n],r=Ye[(n+1)%Ye.length];return s("butt\
on",{type:"button",class:"icon-button theme-button","data-theme-choice":e,"aria-label":`Colours: ${o}. Change to ${r.name}`,
title:`Colours: ${o}`,onClick:()=>{An(r.theme),t(r.theme)},children:s(i,{})})}function de(e){let[,t]=se(n=>n+1,0);return F(()=>e.watch(()=>t(void 0)),[e]),e}function fe(e){let[t,n]=M(Date.now());return L(
()=>{if(!e)return;n(Date.now());let o=setInterval(()=>n(Date.now()),250);return()=>clearInterval(o)},[e]),t}var ss=new Intl.DateTimeFormat(void 0,{timeStyle:"short"}),is=new Intl.DateTimeFormat(void 0,{dateStyle:"full",timeStyle:"\
medium"}),rs=new Intl.DateTimeFormat(void 0,{weekday:"long",day:"numeric",month:"long"}),as=new Intl.DateTimeFormat(void 0,
{weekday:"long",day:"numeric",month:"long",year:"numeric"}),Xn=e=>ss.format(e),Gn=e=>is.format(e),Vn=e=>String(e).padStart(
2,"0");function ae(e){return`${e.getFullYear()}-${Vn(e.getMonth()+1)}-${Vn(e.getDate())}`}function qn(e,t){let n=new Date(
t.getFullYear(),t.getMonth(),t.getDate()-1);return ae(e)===ae(t)?"Today":ae(e)===ae(n)?"Yesterday":(e.getFullYear()===t.
getFullYear()?rs:as).format(e)}function pe(e,t){return Math.max(0,Math.ceil((e-t)/1e3))}function me({name:e,size:t="medium"}){return s("span",{class:`avatar avatar-${t} hue-${xn(e)}`,"aria-hidden":"true",children:Mn(
e)})}function Yn(){return s("span",{class:"avatar avatar-medium avatar-bot","aria-hidden":"true",children:s(qe,{size:20})})}
function Je({content:e}){return s("div",{class:"text",dir:"auto",children:Sn(e).map(({text:t,href:n})=>n?s("a",{href:n,target:"\
_blank",rel:"noopener noreferrer nofollow",children:t}):t)})}function Qe({at:e}){return s("time",{dateTime:e.toISOString(),
title:Gn(e),children:Xn(e)})}function K(){return s("span",{class:"spinner","aria-hidden":"true"})}function Ee({label:e,name:t,type:n="text",autocomplete:o,hint:i,error:r,onInput:a,autofocus:l}){let[d,f]=M(!1),c=P(null),
p=n==="password";F(()=>{l&&c.current.focus()},[]);let g=[i&&`${t}-hint`,r&&`${t}-error`].filter(Boolean).join(" ");return s(
"div",{class:`field ${r?"field-wrong":""}`,children:[s("label",{for:t,children:e}),s("div",{class:"field-box",children:[
s("input",{id:t,name:t,type:p&&d?"text":n,autocomplete:o,autocapitalize:"none",spellcheck:!1,ref:c,"aria-invalid":r?"tru\
e":void 0,"aria-describedby":g||void 0,onInput:a}),p&&s("button",{type:"button",class:"field-eye","aria-label":"Show pas\
sword","aria-pressed":d,onClick:()=>f(!d),children:s(Bn,{})})]}),r?s("p",{class:"field-error",id:`${t}-error`,children:r}):
i&&s("p",{class:"field-hint",id:`${t}-hint`,children:i})]})}function ls(e){return e instanceof R?e.status===400?"The ser\
ver does not accept this name, address or password. A longer password, unlike the name, may do.":e.status===401?"That us\
er name and password do not match.":e.status===409?"This user name or e-mail address is taken.":e.status===429?`Too many\
 tries. Please wait ${Math.max(1,Math.ceil((e.waitMs??1e3)/1e3))} s and try again.`:e.status===0?"The server cannot be r\
eached. Check your connection and try again.":e.status>=500?"The server cannot do this right now. Please try again in a \
moment.":e.message:"Something went wrong. Please try again."}function Zn(e){let[t,n]=M({}),[o,i]=M(!1);return{faults:t,isBusy:o,
onSubmit:async a=>{if(a.preventDefault(),o)return;let l=a.currentTarget,d=Object.fromEntries([...new FormData(l)].map(([
f,c])=>[f,String(c)]));i(!0),n({});try{await e(d)}catch(f){let c=f instanceof Pe?f.faults:{form:ls(f)};n(c);let p=["user\
name","email","password"].find(g=>c[g])??"password";l.querySelector(`[name=${p}]`)?.focus()}i(!1)},clear:()=>Object.keys(
t).length>0&&n({})}}var Pe=class extends Error{constructor(n){super("what was typed cannot be right");this.faults=n}};function cs(){
let{leaving:e}=de(W);return s("div",{role:"status",id:"leaving","data-leaving":e,children:[e==="telling"&&s("p",{class:"\
notice",children:[s(K,{})," Logging out. The server has not confirmed it yet."]}),e==="untold"&&s("p",{class:"notice not\
ice-warn",children:[s(ie,{size:18}),s("span",{children:["The server could not be told that you have logged out. Until it\
 is, your session goes on there."," ",s("button",{type:"button",class:"link-button",onClick:()=>{document.querySelector(
".card input")?.focus(),W.tell()},children:"Try again"})]})]}),e==="told"&&s("p",{class:"notice",children:"You are logge\
d out."})]})}function Jn({id:e,title:t,lead:n,notice:o,fault:i,isBusy:r,button:a,onSubmit:l,children:d,footer:f}){return s(
"div",{class:"account",children:[s("header",{class:"account-top",children:[s("span",{class:"brand",children:[s(re,{})," \
confab"]}),s(Ze,{})]}),s("main",{class:"card",children:[s("h1",{children:t}),s("p",{class:"lead",children:n}),o&&s("p",{
class:"notice",children:o}),s(cs,{}),s("form",{id:e,onSubmit:l,noValidate:!0,"aria-busy":r,children:[s("div",{role:"aler\
t",children:i&&s("p",{class:"form-error",children:[s(ie,{size:18})," ",i]})}),d,s("button",{class:"button button-primary\
 button-wide","aria-disabled":r,children:[r&&s(K,{})," ",a]})]}),s("p",{class:"card-foot",children:f})]})]})}function Qn({
onEntered:e,onLink:t,notice:n}){let{faults:o,isBusy:i,onSubmit:r,clear:a}=Zn(async({username:l="",password:d=""})=>{let f={};
if(l||(f.username="Enter your user name."),d||(f.password="Enter your password."),f.username||f.password)throw new Pe(f);
await W.login(l,d),e()});return s(Jn,{id:"login",title:"Welcome back",lead:"Log in to join the conversation.",notice:n,fault:o.
form,isBusy:i,button:"Log in",onSubmit:r,footer:s(E,{children:["New here?"," ",s("a",{href:"/register",onClick:t,children:"\
Create an account"})]}),children:[s(Ee,{label:"User name",name:"username",autocomplete:"username",error:o.username,onInput:a,
autofocus:!0}),s(Ee,{label:"Password",name:"password",type:"password",autocomplete:"current-password",error:o.password,onInput:a})]})}
function eo({onEntered:e,onLink:t}){let{faults:n,isBusy:o,onSubmit:i,clear:r}=Zn(async({username:a="",email:l="",password:d=""})=>{
let f=Pn(a,l,d);if(Object.keys(f).length>0)throw new Pe(f);await D.register(a,l,d),await W.login(a,d),e()});return s(Jn,
{id:"register",title:"Create your account",lead:"A name, an address, a password. That is all.",fault:n.form,isBusy:o,button:"\
Create account",onSubmit:i,footer:s(E,{children:["Already have an account?"," ",s("a",{href:"/login",onClick:t,children:"\
Log in"})]}),children:[s(Ee,{label:"User name",name:"username",autocomplete:"username",hint:"Letters, digits and undersc\
ores. Everyone sees it.",error:n.username,onInput:r,autofocus:!0}),s(Ee,{label:"E-mail",name:"email",type:"email",autocomplete:"\
email",error:n.email,onInput:r}),s(Ee,{label:"Password",name:"password",type:"password",autocomplete:"new-password",hint:"\
At least 8 characters.",error:n.password,onInput:r})]})}var us=800,Mt="command-help",to=({insert:e})=>`${Mt}-${e.replace(/\W/g,"")}`;function ds(e,t){let{key:n,shiftKey:o,ctrlKey:i,
altKey:r,metaKey:a}=e;if(e.isComposing)return null;if(t){if(n==="ArrowDown"||i&&n==="n")return"next";if(n==="ArrowUp"||i&&
n==="p")return"previous";if((n==="Enter"||n==="Tab")&&!o)return"take";if(n==="Escape")return"close"}return n==="Enter"&&
!o&&!i&&!r&&!a?"send":null}function fs(e,t){F(()=>{if(CSS.supports("field-sizing","content"))return;let n=e.current;n.style.
height="auto",n.style.height=`${n.scrollHeight}px`},t)}function ps({trouble:e,wait:t,onDismiss:n}){return s("p",{class:"\
trouble",children:[s(ie,{size:18}),s("span",{children:[e.message,t>0&&`. You can send again in ${t} s.`]}),s("button",{type:"\
button",class:"icon-button icon-button-small","aria-label":"Dismiss",onClick:n,children:s(Q,{size:16})})]})}function ms({
offered:e,chosen:t,onTake:n}){return s("ul",{class:"command-help",id:Mt,role:"listbox","aria-label":"Commands",children:e.
map(o=>s("li",{id:to(o),role:"option","aria-selected":o===t,onPointerDown:i=>i.preventDefault(),onClick:()=>n(o),children:[
s("b",{children:o.title})," ",s("span",{children:o.hint})]},o.insert))})}function hs({hint:e,length:t}){return s("p",{class:"\
composer-note",id:"composer-note",children:[e?s("span",{class:`hint hint-${e.kind}`,children:[s(qe,{size:16})," ",e.text]}):
s("span",{class:"keys",children:[s("kbd",{children:"Enter"})," sends, ",s("kbd",{children:"Shift Enter"})," begins a new\
 line, ",s("kbd",{children:"/"})," shows commands"]}),t>=us&&s("span",{class:`counter ${t>1e3?"counter-over":""}`,id:"co\
unter",children:[t.toLocaleString()," of ",1e3.toLocaleString()," characters"]})]})}function no({room:e,name:t,onSent:n}){
let o=P(null),[i,r]=M(!1),[a,l]=M(0),[,d]=se(S=>S+1,0),{draft:f,trouble:c}=e;fe(c!==null&&c.untilMs>0);let p=()=>e.trouble?
pe(e.trouble.untilMs,Date.now()):0,g=()=>i?[]:yn(e.draft),u=()=>{let S=wt(e.draft),T=Se(S);return T>0&&T<=1e3&&p()===0?S:
null},m=p(),v=g(),h=v[Math.min(a,v.length-1)],_=h?null:vn(f),y=Se(wt(f));fs(o,[f,e]),L(()=>{matchMedia("(pointer: coarse\
)").matches||o.current.focus({preventScroll:!0})},[e]),L(()=>{c!==null&&c.untilMs>0&&m===0&&e.dismissTrouble()},[c,m]);let x=S=>{
e.setDraft(S),r(!1),l(0),d(void 0)},k=()=>{let S=u();S!==null&&(e.send(S),e.dismissTrouble(),d(void 0),n())},X=({insert:S})=>{
x(S),o.current.focus()},ee=S=>{let T=g(),j=ds(S,T.length>0);if(j===null)return;S.preventDefault();let I=Math.min(a,T.length-
1);j==="next"&&l((I+1)%T.length),j==="previous"&&l((I+T.length-1)%T.length),j==="take"&&X(T[I]),j==="close"&&r(!0),j==="\
send"&&k()};return s("div",{class:"composer-area",children:[s("div",{role:"alert",children:c&&s(ps,{trouble:c,wait:m,onDismiss:()=>e.
dismissTrouble()})}),h&&s(ms,{offered:v,chosen:h,onTake:X}),s("form",{class:`composer ${y>1e3?"composer-over":""}`,id:"c\
omposer",onSubmit:S=>{S.preventDefault(),k(),o.current.focus()},children:[s("textarea",{ref:o,name:"content",rows:1,dir:"\
auto",placeholder:`Message ${V(t)}`,"aria-label":`Message ${V(t)}`,autocomplete:"off",enterkeyhint:"send","aria-autocomp\
lete":"list","aria-haspopup":"listbox","aria-controls":h?Mt:void 0,"aria-activedescendant":h?to(h):void 0,"aria-invalid":y>
1e3?"true":void 0,"aria-describedby":"composer-note",value:f,onInput:({currentTarget:S})=>x(S.value),onKeyDown:ee}),s("b\
utton",{class:"send","aria-label":"Send",title:"Send","aria-disabled":u()===null,children:s(Nn,{})})]}),s(hs,{hint:_,length:y}),
s("p",{class:"visually-hidden",role:"status",children:v.length>0?`${v.length} commands, arrows choose, Enter takes`:""})]})}var gs=5*6e4;function _s(e){let t=new Map;for(let{kind:i,username:r}of e){let a=t.get(r);a?a.last=i:t.set(r,{first:i,last:i})}
let n=(i,r)=>[...t].filter(([,a])=>a.first===i&&a.last===r).map(([a])=>a);return[[n("joined","joined"),"joined"],[n("lef\
t","joined"),"came back"],[n("joined","left"),"looked in"],[n("left","left"),"left"]].filter(([i])=>i.length>0).map(([i,
r])=>`${En(i)} ${r}`).join(" · ")}function oo(e,t,n,o){let i=[],r="",a=null,l=o===null,d=c=>{ae(c)!==r&&(r=ae(c),i.push(
{kind:"day",id:`day-${r}`,label:qn(c,n),date:r}),a=null)},f=(c,p)=>{let g=a===null||a.author!==c||p.getTime()-a.atMs>gs;
return a={author:c,atMs:p.getTime()},g};for(let c of e)switch(c.kind){case"post":{let{post:p,id:g}=c,u=new Date(p.createdAt),
m=p.userId===t.id;d(u),!l&&p.key>o&&!m&&(i.push({kind:"unread",id:"unread"}),l=!0,a=null),i.push({kind:"post",id:g,post:p,
at:u,leads:f(p.userId,u),isOwn:m});break}case"pending":{let{pending:p,id:g}=c,u=new Date(p.atMs);d(u),i.push({kind:"pend\
ing",id:g,pending:p,at:u,leads:f(t.id,u),isOwn:!0});break}case"bot":{let p=new Date(c.post.createdAt);d(p),i.push({kind:"\
bot",id:c.id,post:c.post,at:p}),a=null;break}case"asked":i.push({kind:"asked",id:c.id,content:c.content}),a=null;break;case"\
notes":d(new Date(c.notes[0].atMs)),i.push({kind:"notes",id:c.id,text:_s(c.notes)}),a=null;break}return i}var ge=class{constructor(){this.kept=new Map}round(){let t=this.kept,n=new Map;return this.kept=n,(o,i,r)=>{let a=t.get(
o),d=a?.of.length===i.length&&i.every((f,c)=>f===a.of[c])?a.made:r();return n.set(o,{of:i,made:d}),d}}};function xt(e,t){let n=t===null?-1:e.findIndex(({id:o})=>o===t);return n<0?{from:Math.max(0,e.length-180),to:e.length}:{
from:n,to:Math.min(e.length,n+240)}}function so(e,t,n){let{from:o}=xt(e,t),i=Math.min(Math.max(0,o+n),Math.max(0,e.length-
1));return i+180>=e.length&&n>0?null:e[i]?.id??null}function ys({pending:e,room:t}){let n=fe(e.retryAtMs>Date.now()),o=pe(e.retryAtMs,n);return s("div",{class:"failure",role:"\
group","aria-label":"Not sent",children:[s(ie,{size:16}),s("span",{children:["Not sent: ",e.error,o>0&&` (${o} s)`]}),s(
"button",{type:"button",class:"link-button",disabled:o>0,onClick:()=>t.retry(e.key),children:"Send again"}),s("button",{
type:"button",class:"link-button",onClick:()=>t.discard(e.key),children:"Delete"})]})}function vs({state:e}){return s("s\
pan",{class:`mark mark-${e}`,title:e==="stored"?"Stored":"Sending",children:[e==="stored"?s(jn,{size:15}):s(Un,{size:14}),
s("span",{class:"visually-hidden",children:e==="stored"?"stored":"sending"})]})}function bs({row:{id:e,post:t,at:n}}){return s(
"li",{class:`message bot ${t.isError?"bot-error":""}`,"data-row":e,"data-id":t.id,children:[s(Yn,{}),s("div",{class:"bod\
y",children:[s("p",{class:"who",children:[s("b",{children:t.username}),s("span",{class:"tag",children:"Bot"}),t.isError&&
s("span",{class:"tag tag-warn",children:"Error"}),s(Qe,{at:n})]}),s(Je,{content:t.content})]})]})}function ks({row:e,me:t,
room:n}){let o=e.kind==="post",i=o?e.post.username:t.username,r=o?"stored":e.pending.state;return s("li",{class:`message\
 ${e.leads?"leads":""} ${e.isOwn?"own":""} is-${r}`,"data-row":e.id,"data-id":o?e.post.id:void 0,"data-state":r,children:[
e.leads?s(me,{name:i}):s("span",{class:"gutter",children:s(Qe,{at:e.at})}),s("div",{class:"body",children:[e.leads?s("p",
{class:"who",children:[s("b",{children:i}),e.isOwn&&s("span",{class:"you",children:"you"}),s(Qe,{at:e.at})]}):s("span",{
class:"visually-hidden",children:[i,": "]}),s("div",{class:"line",children:[s(Je,{content:o?e.post.content:e.pending.content}),
e.isOwn&&r!=="failed"&&s(vs,{state:r==="stored"?"stored":"sending"}),!o&&e.pending.isCommand&&s("span",{class:"only-you",
children:"only you see this"})]}),!o&&r==="failed"&&s(ys,{pending:e.pending,room:n})]})]})}function io({row:e,me:t,room:n}){
switch(e.kind){case"day":return s("li",{class:"day","data-row":e.id,children:s("time",{dateTime:e.date,children:e.label})});case"\
unread":return s("li",{class:"unread","data-row":e.id,children:s("span",{children:"New"})});case"notes":return s("li",{class:"\
notes","data-row":e.id,children:e.text});case"asked":return s("li",{class:"message asked","data-row":e.id,children:[s(Je,
{content:e.content}),s("span",{class:"only-you",children:"only you see this"})]});case"bot":return s(bs,{row:e});case"po\
st":case"pending":return s(ks,{row:e,me:t,room:n})}}var et=500,ws=60;function ro({lines:e}){return s("div",{class:"skeleton-messages","aria-hidden":"true",children:Array.from(
{length:e},()=>s("div",{class:"skeleton-message",children:[s("i",{class:"bone bone-avatar"}),s("div",{children:[s("i",{class:"\
bone bone-name"}),s("i",{class:"bone bone-line"})]})]}))})}function Ms({room:e,name:t,isFirst:n,isEmpty:o}){return n&&e.
timeline.atStart?s("div",{class:"beginning",children:[s("h2",{dir:"auto",children:t}),s("p",{children:o?"Nobody has said\
 anything yet. Begin!":"This is where it began."})]}):n&&e.olderFailed?s("div",{class:"older-failed",children:["Older me\
ssages could not be loaded."," ",s("button",{type:"button",class:"link-button",onClick:()=>{e.loadOlder()},children:"Try\
 again"})]}):s(ro,{lines:3})}function ao({room:e,me:t,name:n,sends:o}){let{timeline:i}=e,r=P(null),a=P(null),[l,d]=M(null),
[f,c]=M(!0),p=P(!0),g=P(null),u=P(""),m=P(new ge),v=i.entries(),h=xt(v,l),_=oo(v.slice(h.from,h.to),t,new Date,e.unreadAfter),
y=m.current.round(),x=b=>y(b.id,b.kind==="post"?[b.post,b.leads]:[b],()=>s(io,{row:b,me:t,room:e},b.id)),k=r.current?.scrollTop??
0,X=h.to===v.length&&i.atEnd,ee=()=>{if(g.current=null,p.current)return;let{scrollTop:b}=r.current,{top:U}=r.current.getBoundingClientRect();
for(let te of a.current.querySelectorAll(".message")){let{bottom:_e}=te.getBoundingClientRect();if(!(_e<=U)){g.current={
id:te.dataset.row,bottom:_e,scrollTop:b};return}}},S=b=>d(so(v,l,b)),T=b=>{p.current=b,c(b)},j=()=>{d(null),T(!0),i.atEnd||
e.loadNewest()},I=()=>{h.from===0&&!i.atStart&&!e.loadingOlder&&!e.olderFailed&&e.connection.wasLive&&r.current.scrollTop<
et&&e.loadOlder()},z=()=>{let{scrollTop:b,scrollHeight:U,clientHeight:te}=r.current,_e=U-b-te,ye=X&&_e<ws;ye!==p.current&&
(T(ye),ye?d(null):l===null&&d(v[h.from]?.id??null)),!ye&&b<et&&h.from>0?S(-60):!ye&&_e<et&&h.to<v.length&&S(60),I(),ee()};
F(()=>{let b=r.current,U=g.current,te=U&&a.current.querySelector(`[data-row="${CSS.escape(U.id)}"]`);p.current?b.scrollTop=
b.scrollHeight:te&&(b.scrollTop+=te.getBoundingClientRect().bottom-(U.bottom+U.scrollTop-k)),p.current&&(u.current=i.newest?.
key??""),ee()}),L(()=>{I(),!p.current&&h.from>0&&r.current.scrollTop<et&&S(-60)}),F(()=>{let b=r.current,U=new ResizeObserver(
()=>{p.current&&(b.scrollTop=b.scrollHeight)});return U.observe(b),()=>U.disconnect()},[]),L(()=>{o>0&&j()},[o]);let $=0;
if(!f)for(let b=i.posts.length-1;b>=0&&i.posts[b].key>u.current;b--)$++;let H=!e.connection.wasLive&&i.posts.length===0;
return s("div",{class:"messages",children:[s("div",{ref:r,class:"scroller",id:"messages",tabIndex:0,role:"log","aria-liv\
e":"off","aria-label":`Messages in ${V(n)}`,onScroll:z,children:[s("div",{class:"filler"}),H?s(ro,{lines:8}):s(Ms,{room:e,
name:n,isFirst:h.from===0,isEmpty:v.length===0}),s("ol",{ref:a,children:_.map(x)})]}),!f&&s("button",{type:"button",class:`\
to-end ${$>0?"has-news":""}`,id:"to-end",onClick:j,children:[s(Dn,{size:16})," ",$>0?B($,"new message"):"To the newest"]})]})}function lo({room:e,me:t,onClose:n}){let{presence:o}=e,i=o.names(t.username);return s("aside",{class:"people",id:"people",
"aria-label":"Who is here",children:[s("header",{children:[s("h2",{children:"Who is here"}),s("button",{type:"button",class:"\
icon-button","aria-label":"Close the list of people",onClick:n,children:s(Q,{})})]}),s("ul",{children:i.map(r=>s("li",{children:[
s(me,{name:r,size:"small"}),s("span",{class:"people-name",children:r}),r===t.username&&s("span",{class:"you",children:"y\
ou"})]},r))}),o.more>0&&s("p",{class:"people-more",children:["and ",o.more," more"]}),o.unnamed>0&&s("p",{class:"people-\
more",children:["and ",B(o.unnamed,"more connection"),". Names appear when people come, write or go."]})]})}function xs(e){switch(e.connection.phase){case"live":return{kind:"live",text:"Connected"};case"waiting":return{kind:"los\
t",text:"Disconnected"};default:return{kind:"busy",text:e.connection.wasLive?"Reconnecting":"Connecting"}}}function Ss({
room:e}){let{dueMs:t}=e.connection,n=fn(e.connection),o=n==="waiting",i=fe(o),r=e.timeline.pending.filter(({state:a})=>a===
"sending").length;return s("div",{role:"status",children:n&&s("div",{class:"banner",id:"banner",children:[o?s(zn,{size:18}):
s(K,{}),s("span",{children:[o?"The connection is lost. ":"Connecting again. ",s("span",{"aria-hidden":"true",children:o&&
`Next try in ${pe(t,i)} s. `}),r>0?`${B(r,"message")} will be sent then.`:"What you write is kept and sent then."]}),o&&
s("button",{type:"button",class:"link-button",onClick:()=>e.wake(),children:"Try now"})]})})}function Es({room:e}){return s(
"div",{class:"visually-hidden",id:"announcer",role:"log","aria-live":"polite","aria-label":"New messages",children:e.heard.
posts.map(t=>s("p",{children:gn(t)},t.id))})}function co({chat:e,room:t}){de(t);let[n,o]=M(!1),[i,r]=M(0),a=e.list.get(t.
id),l=a?.name??"",d=xs(t),f=t.presence.connections||a?.userCount||0;return L(()=>{let c=p=>{p.key==="Escape"&&!p.defaultPrevented&&
o(!1)};return document.addEventListener("keydown",c),()=>document.removeEventListener("keydown",c)},[]),t.connection.ending===
"gone"?s("main",{class:"room empty",children:[s("h1",{children:"This room does not exist"}),s("p",{children:"The address\
 may be mistyped."}),s("a",{class:"button",href:"#/",children:"All rooms"})]}):s(E,{children:[s("main",{class:"room","da\
ta-phase":t.connection.phase,"data-room":t.id,children:[s("header",{class:"room-top",children:[s("a",{class:"icon-button\
 back",href:"#/","aria-label":"All rooms",children:s(Wn,{})}),s("span",{class:"room-sign",children:a?.isEphemeral?s(Ge,{}):
s(Xe,{})}),s("div",{class:"room-title",children:[s("h1",{id:"room-name-shown",dir:"auto",children:l||s("span",{class:"bo\
ne bone-title"})}),s("p",{children:[s("span",{class:`status status-${d.kind}`,id:"status",role:"status",children:[s("spa\
n",{class:"dot"})," ",d.text]}),a?.isEphemeral&&s("span",{children:" · Nothing is kept"})]})]}),s("button",{type:"butto\
n",class:"people-button",id:"who-is-here","aria-expanded":n,"aria-controls":"people","aria-label":`Who is here: ${B(f,"c\
onnection")}`,title:"Who is here",onClick:()=>o(!n),children:[s(Ln,{size:18})," ",f.toLocaleString()]})]}),s(Ss,{room:t}),
s(ao,{room:t,me:e.me,name:l,sends:i},t.id),s(no,{room:t,name:l,onSent:()=>r(i+1)}),s(Es,{room:t})]}),n&&s(lo,{room:t,me:e.
me,onClose:()=>o(!1)})]})}function fo({chat:e,name:t,onDone:n}){let o=P(null),i=P(null),[r,a]=M(t),[l,d]=M(!1),[f,c]=M(null),[p,g]=M(!1);return F(
()=>{o.current.showModal(),i.current.focus()},[]),s("dialog",{ref:o,class:"dialog","aria-labelledby":"new-room-title",onClose:n,
onClick:m=>{m.target===o.current&&o.current?.close()},children:s("form",{id:"create",class:"dialog-body",onSubmit:async m=>{
if(m.preventDefault(),p)return;let v=r.replace(new RegExp("\\p{Cc}","gu")," ").trim();if(!v)return c("Give the room a na\
me.");if(Se(v)>100)return c(`A name has at most ${100} characters.`);g(!0);try{let h=await e.create(v,l);n(),location.hash=
`#/room/${h.id}`}catch(h){c(h instanceof Error?h.message:String(h)),g(!1)}},noValidate:!0,children:[s("header",{children:[
s("h2",{id:"new-room-title",children:"New room"}),s("button",{type:"button",class:"icon-button","aria-label":"Close",onClick:()=>o.
current?.close(),children:s(Q,{})})]}),s("div",{class:`field ${f?"field-wrong":""}`,children:[s("label",{for:"room-name",
children:"Name"}),s("div",{class:"field-box",children:s("input",{id:"room-name",dir:"auto",name:"name",ref:i,autocomplete:"\
off",placeholder:"What is it about?",value:r,"aria-invalid":f?"true":void 0,"aria-describedby":"room-name-note",onInput:({
currentTarget:m})=>{a(m.value),c(null)}})}),s("p",{id:"room-name-note",class:f?"field-error":"field-hint",role:f?"alert":
void 0,children:f??"Everyone can find it and join."})]}),s("label",{class:"switch-line",children:[s("input",{type:"check\
box",name:"ephemeral",class:"switch",checked:l,onChange:({currentTarget:m})=>d(m.checked)}),s("span",{children:[s("b",{children:"\
Keep nothing"}),s("small",{children:"Messages are shown to those who are there, and never stored."})]})]}),s("footer",{children:[
s("button",{type:"button",class:"button",onClick:()=>o.current?.close(),children:"Cancel"}),s("button",{class:"button bu\
tton-primary","aria-disabled":p,children:[p&&s(K,{})," Create room"]})]})]})})}function Ps({room:e,isOpen:t,unread:n,hasDraft:o}){return s("li",{children:s("a",{class:`room-link ${n?"is-unread":""}`,
href:`#/room/${e.id}`,"data-room":e.id,"aria-current":t?"page":void 0,children:[s("span",{class:"room-sign",children:e.isEphemeral?
s(Ge,{size:18}):s(Xe,{size:18})}),s("span",{class:"room-name",dir:"auto",children:e.name}),e.isEphemeral&&s("span",{class:"\
visually-hidden",children:", messages are not kept"}),o&&s("span",{class:"room-draft",title:"Not sent yet",children:[s(Kn,
{size:15}),s("span",{class:"visually-hidden",children:", has a draft"})]}),n>0&&s("span",{class:"badge",children:[n>99?"\
99+":n,s("span",{class:"visually-hidden",children:" unread"})]}),e.userCount>0&&s("span",{class:"room-count",title:`${B(
e.userCount,"connection")} now`,children:[s("span",{class:"dot"}),e.userCount.toLocaleString(),s("span",{class:"visually\
-hidden",children:" connected"})]})]})})}function Cs(){return s("div",{class:"skeleton-rooms","aria-hidden":"true",children:Array.
from({length:7},()=>s("div",{class:"skeleton-room",children:[s("i",{class:"bone bone-sign"}),s("i",{class:"bone bone-lin\
e"})]}))})}function Ts(e,t){let o=P(new ge).current.round(),i=ln(e.me.id);return t.map(r=>{let{id:a,name:l,isEphemeral:d,
userCount:f}=r,c=e.room?.id===a,p=e.openRoom(a)?.unread??0,g=!c&&i.has(a);return o(a,[l,d,f,c,p,g],()=>s(Ps,{room:r,isOpen:c,
unread:p,hasDraft:g},a))})}function As(e,t,n){let o=P(t);o.current=t,L(()=>{let i=new IntersectionObserver(r=>{r.some(({
isIntersecting:a})=>a)&&o.current()},{rootMargin:"200px"});return e.current&&i.observe(e.current),()=>i.disconnect()},n)}
function Et({text:e,button:t,onClick:n}){return s("div",{class:"list-empty",children:[s("p",{children:e}),s("button",{type:"\
button",class:"button",onClick:n,children:t})]})}function Rs({chat:e,wanted:t}){let n=B(e.list.rooms.length,"room");return s(
"button",{type:"button",class:"list-more",disabled:e.isListing,onClick:()=>{e.loadMore()},children:e.isListing?s(E,{children:[
s(K,{})," ",t?`Searching, ${n} so far`:"Loading"]}):t?"Search on":"More rooms"})}function po({chat:e,wanted:t,found:n,list:o,
onArrow:i,onMake:r}){let a=P(null),l=Ts(e,n),{isComplete:d,rooms:f}=e.list,c=e.list.cursor===void 0;return As(a,()=>!t&&
!e.listError&&void e.loadMore(),[e,f.length]),s("div",{class:"room-list",children:[c&&!e.listError&&s(Cs,{}),s("ul",{ref:o,
onKeyDown:i,id:"rooms",children:l}),t&&n.length===0&&d&&s(Et,{text:`No room is called “${V(t)}”.`,button:"Create it",
onClick:r}),!t&&d&&f.length===0&&s(Et,{text:"No rooms yet.",button:"Create the first one",onClick:r}),e.listError&&s("di\
v",{role:"alert",children:s(Et,{text:e.listError,button:"Try again",onClick:()=>{d?e.refresh():e.loadMore()}})}),!d&&!c&&
!e.listError&&s(Rs,{chat:e,wanted:t}),s("div",{ref:a,class:"list-end"}),s("p",{class:"visually-hidden",role:"status",children:t&&
!e.isListing?B(n.length,"room")+" found":""})]})}var Os=30;function Ls({query:e,field:t,onQuery:n,onArrow:o,onEnter:i}){return L(()=>{let r=a=>{(a.ctrlKey||a.metaKey)&&!a.
altKey&&a.key.toLowerCase()==="k"&&(a.preventDefault(),t.current?.focus(),t.current?.select())};return document.addEventListener(
"keydown",r),()=>document.removeEventListener("keydown",r)},[]),s("div",{class:"search",onKeyDown:o,children:[s(On,{size:18}),
s("input",{ref:t,id:"search",type:"search",dir:"auto",placeholder:"Find a room","aria-label":"Find a room",autocomplete:"\
off",value:e,onInput:({currentTarget:r})=>n(r.value),onKeyDown:r=>{r.key==="Escape"&&e&&(r.preventDefault(),n("")),r.key===
"Enter"&&i()}}),e?s("button",{type:"button",class:"search-clear","aria-label":"Clear the search",onClick:()=>n(""),children:s(
Q,{size:16})}):s("kbd",{"aria-hidden":"true",children:"Ctrl K"})]})}function Ns({chat:e}){return s("footer",{class:"whoa\
mi",children:[s(me,{name:e.me.username,size:"small"}),s("span",{class:"whoami-name",id:"me",children:e.me.username}),s(Ze,
{}),s("button",{type:"button",class:"icon-button",id:"logout","aria-label":"Log out",title:"Log out",onClick:()=>e.logout(),
children:s(Fn,{})})]})}function mo({chat:e}){let[t,n]=M(""),[o,i]=M(!1),r=P(null),a=P(null),l=P("");l.current=t;let d=t.
trim(),f=e.list.search(t);L(()=>{d&&e.seek(()=>e.list.search(d).length>=Os,()=>l.current.trim()===d)},[d,e]);let c=()=>[
...a.current?.querySelectorAll("a")??[]],p=u=>{let m=u.key==="ArrowDown"?1:u.key==="ArrowUp"?-1:0;if(m===0)return;u.preventDefault();
let v=c(),h=v.indexOf(document.activeElement)+m;h<0?r.current?.focus():v[h]?.focus()},g=()=>i(!0);return s("nav",{class:"\
sidebar","aria-label":"Rooms",children:[s("header",{class:"sidebar-top",children:[s("a",{class:"brand",href:"#/","aria-l\
abel":"confab, all rooms",children:[s(re,{size:26})," confab"]}),s("button",{type:"button",class:"icon-button",id:"new-r\
oom","aria-label":"New room",title:"New room",onClick:g,children:s(Rn,{})})]}),s(Ls,{query:t,field:r,onQuery:n,onArrow:p,
onEnter:()=>c()[0]?.click()}),s(po,{chat:e,wanted:d,found:f,list:a,onArrow:p,onMake:g}),s(Ns,{chat:e}),o&&s(fo,{chat:e,name:f.
length===0?d:"",onDone:()=>i(!1)})]})}function Ds(){return/^#\/room\/([0-9a-f-]{36})$/.exec(location.hash)?.[1]??null}function Is(e){let t=e.room&&e.list.get(
e.room.id)?.name;return`${e.unread>0?`(${e.unread}) `:""}${t?`${V(t)} · `:""}confab`}function $s({chat:e,notice:t}){de(
e),F(()=>{let o=()=>e.show(Ds());return o(),window.addEventListener("hashchange",o),()=>window.removeEventListener("hash\
change",o)},[e]);let n=Is(e);return F(()=>{document.title=n},[n]),s("div",{class:`chat ${e.room?"has-room":""}`,children:[
s("a",{class:"skip",href:e.room?"#composer":"#search",onClick:o=>{o.preventDefault(),document.querySelector("#composer t\
extarea, #search")?.focus()},children:"Skip to the message field"}),s(mo,{chat:e}),e.room?s(co,{chat:e,room:e.room},e.room.
id):s("main",{class:"room empty",children:[s(re,{size:56}),s("h1",{children:"Choose a room"}),s("p",{children:"Pick one \
from the list, or make a new one with the plus above it."}),t&&s("p",{class:"notice",role:"status",children:t})]})]})}function Hs({
error:e,onRetry:t}){return s("main",{class:"waiting",children:e===null?s(E,{children:[s(K,{}),s("p",{class:"visually-hid\
den",role:"status",children:"Loading"})]}):s(E,{children:[s(re,{size:48}),s("h1",{children:"No answer from the server"}),
s("p",{role:"alert",children:e}),s("button",{type:"button",class:"button button-primary",onClick:t,children:"Try again"})]})})}
var Fs={asked:void 0,ended:"Your session has ended. Log in to go on.",elsewhere:"You have logged out in another tab.",replaced:"\
Another account has been logged in in this browser, and this page is theirs now."};function Ws(){let[,e]=se(_=>_+1,0),[t,
n]=M(null),o=P(null),i=P(0),[r,a]=M(null),[l,d]=M(void 0),{pathname:f}=location,c=f==="/login"||f==="/register",p=_=>{history.
pushState(null,"",_+location.hash),e(void 0)};L(()=>{let _=()=>e(void 0);return window.addEventListener("popstate",_),()=>window.
removeEventListener("popstate",_)},[]);let g=()=>{o.current?.close(),o.current=null,n(null)},u=_=>{g(),_!=="ended"&&history.
replaceState(null,"","/"),_==="asked"&&W.logout(),d(Fs[_]),_!=="replaced"&&p("/login")},m=async()=>{if(a(null),W.isLeaving)
return W.tell(),p("/login");let _=++i.current;try{let y=await D.me();if(_!==i.current||location.pathname!=="/"||W.isLeaving)
return;let x=new ze(y,k=>{o.current===x&&u(k)});o.current=x,W.entered(y),n(x)}catch(y){if(_!==i.current)return;y instanceof
R&&y.status===401?p("/login"):a(y instanceof Error?y.message:String(y))}};L(()=>(W.isLeaving&&W.tell(),W.listen(_=>{let y=o.
current;!y&&location.pathname==="/"&&m(),_.is==="out"&&y&&u("elsewhere"),_.is==="in"&&y&&y.me.id!==_.user&&u("replaced")})),
[]),L(()=>{!c&&!t&&m(),c&&t&&g(),!t&&!c&&(document.title="confab"),c&&(document.title=f==="/login"?"Log in · confab":"C\
reate an account · confab")},[c,f,t]);let v=_=>{_.ctrlKey||_.metaKey||_.shiftKey||(_.preventDefault(),p(_.currentTarget.
pathname))},h=()=>{d(void 0),p("/")};return f==="/login"?s(Qn,{onEntered:h,onLink:v,notice:l}):f==="/register"?s(eo,{onEntered:h,
onLink:v}):t?s($s,{chat:t,notice:l}):s(Hs,{error:r,onRetry:()=>{m()}})}Ft(s(Ws,{}),document.getElementById("app"));})();
