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
"use strict";(()=>{var w,vt,Zn,G,Ze,Ce,bt,xe,kt,Je,Ye,Yn,he=Symbol.for("pv"),Pe={},Te=[],Jn=/^m(i|n|o|s|text|space)$/,Qe=Array.isArray,wt=Te.
slice,ee=Object.assign;function Q(e){e&&e.parentNode&&e.remove()}function Me(e,t,n,o,i){var r={type:e,props:t,key:n,ref:o,__k:null,__:null,__b:0,__e:null,__c:null,constructor:he,__v:i||
++vt,__i:-1,__u:0};return!i&&w.vnode&&w.vnode(r),r}function S(e){return e.children}function Se(e,t){this.props=e,this.context=t,this.__g=0}function q(e,t){if(t==null)return e.
__&&q(e.__,e.__i+1);for(var n;t<e.__k.length;t++)if((n=e.__k[t])&&n.__e)return n.__e;return typeof e.type!="function"||e.
props.__P?null:q(e)}function Qn(e){var t,n=e.__v,o=n.__e,i=[],r=[],a=e.__P;a&&((t=ee({constructor:he},n)).__v=n.__v+1,w.
vnode&&w.vnode(t),et(a,t,n,e.__n,a.namespaceURI,32&n.__u?[o]:null,i,o||q(n),32&n.__u,r),t.__v=n.__v,t.__.__k[t.__i]=t,Pt(
i,t,r),n.__=n.__e=null,t.__e!=o&&xt(t))}function xt(e){if((e=e.__)&&e.__c&&!e.props.__P)return e.__e=null,e.__k.some(function(t){
return t&&(e.__e=t.__e)}),xt(e)}function gt(e){(8&e.__g||(e.__g|=8,G.push(e),Ce++))&&Ze==w.debounceRendering||((Ze=w.debounceRendering)||
queueMicrotask)(Mt)}function Mt(){try{for(var e,t=1;G.length;)G.length>t&&G.sort(bt),e=G.shift(),t=G.length,8&e.__g&&Qn(
e)}finally{(Ce=G.length)&&(Ze||queueMicrotask)(Mt)}}function St(e,t,n,o,i,r,a,c,d,p,u){var m,g,l,f,y,h,k=o.__k||Te,v=t.length;
for(d=eo(n,t,k,d,v),m=0;m<v;m++)(l=n.__k[m])!=null&&(g=~l.__i&&k[l.__i]||Pe,l.__i=m,h=et(e,l,g,i,r,a,c,d,p,u),f=l.__e,(g.
ref!=l.ref||8&g.__u)&&(g.ref&&tt(g.ref,null,l,g),l.ref&&u.push(l.ref,l.__c||f,l)),y=y||f,4&l.__u?(d=Et(l,d,e,!g.__v),g.__e&&
(g.__e=null)):typeof l.type=="function"&&h!==void 0?d=h:f&&(d=f.nextSibling),l.__u&=-21);return n.__e=y,d}function eo(e,t,n,o,i){
var r,a,c,d,p,u,m,g,l,f=n.length,y=f,h=0,k=0,v=e.__k=Array(i);for(r=0;r<i;r++)(a=t[r])!=null&&typeof a!="boolean"&&typeof a!=
"function"?(typeof a!="object"||a.constructor===String?a=v[r]=Me(null,a):Qe(a)?a=v[r]=Me(S,{children:a}):a.constructor===
he&&a.__b?a=v[r]=Me(a.type,a.props,a.key,a.ref,a.__v):v[r]=a,d=r+h,a.__=e,a.__b=e.__b+1,c=null,~(p=a.__i=to(a,n,d,y))&&(y--,
(c=n[p])&&(c.__u|=2)),c&&c.__v?(a.__u|=16,p==d-1?h--:p==d+1?h++:p!=d&&(p>d?h--:h++,k=1)):(~p||(i>f?h--:i<f&&h++),typeof a.
type!="function"&&(a.__u|=4))):v[r]=null;if(k){for(u=[],m=[],r=0;r<i;r++)if((a=v[r])&&16&a.__u){for(h=0,g=u.length;h<g;)
u[l=h+g>>1]<a.__i?h=l+1:g=l;u[h]=a.__i,m[r]=h+1}for(h=u.length;r--;)m[r]&&(m[r]==h?h--:v[r].__u|=4)}if(y)for(r=0;r<f;r++)
!(c=n[r])||2&c.__u||(c.__e==o&&(o=q(c)),nt(c,c));return o}function Et(e,t,n,o){var i,r,a,c;if(typeof e.type=="function"){
if(e.props.__P)return t;if(i=e.__k)for(r=0;r<i.length;r++)i[r]&&(i[r].__=e,t=Et(i[r],t,n,!1));return t}for(t&&!t.parentNode&&
(t=q(e))&&!t.parentNode&&(t=null),a=e.__e,c=t;c&&c.nodeType==8;)c=c.nextSibling;for(a!=c&&(!o&&n.moveBefore&&a.parentNode?
n.moveBefore(a,t):n.insertBefore(a,t||null)),t=a;(t=t&&t.nextSibling)&&t.nodeType==8&&!t.data.startsWith("$s"););return t}function to(e,t,n,o){var i,r=e.key,a=e.type,c=t[n],d=c&&!(2&c.__u);if(c===null&&r==null||d&&r==c.key&&a==c.type)return n;
if(o>(d?1:0)){for(i=n-1;i>=0;i--)if((c=t[i])&&!(2&c.__u)&&r==c.key&&a==c.type)return i;for(i=n+1;i<t.length;i++)if((c=t[i])&&
!(2&c.__u)&&r==c.key&&a==c.type)return i}return-1}function yt(e,t,n){n==null&&(n=""),t[0]=="-"?e.setProperty(t,n):e[t]=n}
function we(e,t,n,o,i){var r,a;if(t=="style")if(typeof n=="string")e.style.cssText=n;else{if(typeof o=="string"&&(e.style.
cssText=o=""),o)for(t in o)n&&t in n||yt(e.style,t);if(n)for(t in n)o&&n[t]==o[t]||yt(e.style,t,n[t])}else if(t[0]=="o"&&
t[1]=="n")typeof n!="function"&&(n=null),typeof o!="function"&&(o=null),(e.__e||(e.__e={}))[t]=n,n&&o||(a=Ye[t]||(Ye[t]=
no(t)),(e.__a||(e.__a={}))[t]=Je,r=t!=(t=t.replace(kt,"$1")),(t=t.slice(2))[0]<"a"&&(t=t.toLowerCase()),n?e.addEventListener(
t,a,r):e.removeEventListener(t,a,r));else{if(i=="http://www.w3.org/2000/svg")t=t.replace(/xlink(H|:h)/,"h").replace(/sName$/,
"s");else if(t!="width"&&t!="height"&&t!="href"&&t!="list"&&t!="form"&&t!="tabIndex"&&t!="download"&&t!="rowSpan"&&t!="c\
olSpan"&&t!="role"&&t!="popover"&&t in e)try{return void(e[t]=n??"")}catch{}if(typeof n=="function")return;n==null||n===
!1&&t[4]!="-"?e.removeAttribute(t):e.setAttribute(t,t=="popover"&&n==1?"":n)}}function no(e){return function(t){var n=this.
__e;if(n){if(n=n[e],t[xe]==null)t[xe]=Je++;else if(t[xe]<this.__a[e])return;return n(w.event?w.event(t):t)}}}function et(e,t,n,o,i,r,a,c,d,p){
var u,m,g,l,f,y,h,k,v,E,M,K,Y,_,R,J,D,j,A=t.type;if(t.constructor!==he)return null;128&n.__u&&(d=32&n.__u,u=n.__c.__z)&&
(t.__u|=d,m=r=[],u.nodeType==8?c=Ee(u,r):r.push(u),c=r[0]||c),(u=w.__b)&&u(t);e:if(typeof A=="function"){g=a.length;try{
if(k=t.props,v=(u=A.prototype)&&u.render,E=(u=A.contextType)&&o[u.__c],M=u?E?E.props.value:u.__:o,(l=n.__c)?(t.__c=l,2&l.
__g&&(l.__g|=1)):(v?t.__c=l=new A(k,M):(t.__c=l=new Se(k,M),l.constructor=A,l.render=so),E&&E.sub(l),l.state||(l.state={}),
l.__n=o,l.__g|=8,l.__h=[],l.__k=[]),v&&(l.__s||(l.__s=l.state),A.getDerivedStateFromProps&&(l.__s==l.state&&(l.__s=ee({},
l.__s)),ee(l.__s,A.getDerivedStateFromProps(k,l.__s)))),f=l.props,y=l.state,l.__v=t,n.__c){if(k!==f&&v&&!A.getDerivedStateFromProps&&
l.componentWillReceiveProps&&l.componentWillReceiveProps(k,M),t.__v==n.__v&&!(8&l.__g)||!(4&l.__g)&&l.shouldComponentUpdate&&
l.shouldComponentUpdate(k,l.__s,M)===!1){t.__v!=n.__v&&(l.props=k,l.state=l.__s,l.__g&=-9),t.__e=n.__e,t.__k=n.__k,t.__k.
some(function(H){H&&(H.__=t)}),Te.push.apply(l.__h,l.__k),l.__k=[],l.__h.length&&a.push(l),c=q(n);break e}l.componentWillUpdate&&
l.componentWillUpdate(k,l.__s,M),v&&l.componentDidUpdate&&l.__h.push(function(){l.componentDidUpdate(f,y,h)})}else v&&!A.
getDerivedStateFromProps&&l.componentWillMount&&l.componentWillMount(),v&&l.componentDidMount&&l.__h.push(l.componentDidMount);
l.context=M,l.props=k,l.__P=e,l.__g&=-5,K=w.__r,Y=v?25:0;do l.__g&=-9,K&&K(t),u=l.render(l.props,l.state=l.__s,l.context);while(8&
l.__g&&++Y<25);v&&(Te.push.apply(l.__h,l.__k),l.__k=[]),l.state=l.__s,l.getChildContext&&(o=ee({},o,l.getChildContext())),
v&&n.__c&&l.getSnapshotBeforeUpdate&&(h=l.getSnapshotBeforeUpdate(f,y)),_=u&&u.type===S&&u.key==null?u.props.children:u,
k.__P&&(u=c,i=(e=k.__P).namespaceURI,d=r=null,n.props&&n.props.__P!=e&&(n.__k.some(function(H){H&&nt(H,H)}),n.__k=null),
c=n.__k?q(n,0):null),c=St(e,Qe(_)?_:[_],t,n,o,i,r,a,c,d,p),k.__P&&(t.__e=null,c=u),t.__u&=-161,m&&m.some(Q),l.__h.length&&
a.push(l),1&l.__g&&(l.__g&=-4)}catch(H){if(a.length=g,t.__v=null,d||r)if(H&&H.then){if(t.__u|=128|d,r){for(~(D=r.indexOf(
c||void 0))||(D=r.length);(j=r[D-1])&&j.nodeType==8;)D--;for(;D<r.length;D++)if(j=r[D])if(r[D]=null,R){if(j==J)break}else{
if(j.nodeType!=8)break;j.data.startsWith("$s")&&(J=Ee(R=j))}}if(!R){for(;c&&c.nodeType==8&&c.nextSibling;)c=c.nextSibling;
R=c}(u=Ee(R=t.__c.__z||(t.__c.__z=R)))?(t.__e=R,c=u):t.__e=c,c=c&&c.nextSibling}else r&&r.some(Q);else t.__e=n.__e;t.__k||
(t.__k=n.__k||[]),H&&H.then||Ct(t),w.__e(H,t,n)}}else c=t.__e=oo(n.__e,t,n,o,i,r,a,d,p,e);return(u=w.diffed)&&u(t),c}function Ee(e,t){
if(e&&e.nodeType==8&&e.data.startsWith("$s"))for(var n=1;e=e.nextSibling;){if(e.nodeType==8){if(e.data.startsWith("$s"))
n++;else if(e.data.startsWith("/$s")&&!--n)return e}t&&t.push(e)}}function Ct(e){e&&(e.__c&&(e.__c.__g|=4),e.__k&&e.__k.
some(Ct))}function Pt(e,t,n){for(var o=0;o<n.length;)tt(n[o++],n[o++],n[o++]);w.__c&&w.__c(t,e),e.some(function(i){try{e=
i.__h,i.__h=[],e.some(function(r){r.call(i)})}catch(r){w.__e(r,i.__v)}})}function oo(e,t,n,o,i,r,a,c,d,p){var u,m,g,l,f,
y,h,k,v=n.props||Pe,E=t.props,M=t.type;if(M=="svg"?i="http://www.w3.org/2000/svg":M=="math"?i="http://www.w3.org/1998/Ma\
th/MathML":i||(i="http://www.w3.org/1999/xhtml"),r){for(u=0;u<r.length;u++)if((f=r[u])&&(M?f.localName==M:f.nodeType==3)){
e=f,r[u]=null;break}}if(!e){if(k=p.ownerDocument||document,!M)return k.createTextNode(E);e=k.createElementNS(i,M,E.is?E:
p),c&&(w.__m&&w.__m(t,r),c=!1),r=null}if(M){if(p=M=="template"&&e.content||e,r=M=="textarea"&&E.defaultValue!=null?null:
r&&wt.call(p.childNodes),!c&&r)for(v={},u=0;u<e.attributes.length;u++)v[(f=e.attributes[u]).name]=f.value;for(u in v)f=v[u],
u=="dangerouslySetInnerHTML"?g=f:u=="children"||u in E||u=="value"&&"defaultValue"in E||u=="checked"&&"defaultChecked"in
E||we(e,u,null,f,i);for(u in E)f=E[u],u=="children"?l=f:u=="dangerouslySetInnerHTML"?m=f:u=="value"?y=f:u=="checked"?h=f:
c&&typeof f!="function"||v[u]===f||we(e,u,f,v[u],i);m?(c||g&&(m.__html==g.__html||m.__html==e.innerHTML)||(e.innerHTML=m.
__html),t.__k=[]):(g&&(e.textContent=""),(M=="foreignObject"||i=="http://www.w3.org/1998/Math/MathML"&&Jn.test(M))&&(i="\
http://www.w3.org/1999/xhtml"),St(p,Qe(l)?l:[l],t,n,o,i,r,a,r?r[0]:n.__k&&q(n,0),c,d),r&&r.some(Q)),c&&M!="textarea"||(u=
"value",M=="progress"&&y==null?e.removeAttribute(u):y==null||y===e[u]&&(M!="progress"||y)||we(e,u,y,v[u],i),u="checked",
h!=null&&h!=e[u]&&we(e,u,h,v[u],i))}else v===E||c&&e.data==E||(e.data=E);return e}function tt(e,t,n,o){try{typeof e=="fu\
nction"?t?t.__x=e(t)||1:o&&(o=o.__c||o.__e)&&(t=o.__x)&&(o.__x=null,typeof t=="function"?t():e(null)):e.current=t}catch(i){
w.__e(i,n)}}function nt(e,t,n){var o,i,r,a;if(w.unmount&&w.unmount(e),!(o=e.ref)||o.current&&o.current!=e.__e||tt(o,null,
t,e),o=e.__c){if(o.componentWillUnmount)try{o.componentWillUnmount()}catch(c){w.__e(c,t)}o.__P=o.__n=null}if(o=e.__k)for(a=
0;a<o.length;a++)o[a]&&nt(o[a],t,typeof e.type!="function"||n&&!e.props.__P);!n&&(o=e.__c)&&(o=o.__z)&&(i=Ee(o,r=[]))&&(o==
e.__e&&r.some(Q),Q(i),Q(o)),n||Q(e.__e),e.__e=e.__c=e.__=null}function so(e,t,n){return this.constructor(e,n)}function Tt(e,t){
var n,o,i,r;w.__&&w.__(e,t),t.nodeType==9&&(t=t.documentElement),o=(n=e&&32&e.__u)?null:t.__k,t.__k=Me(S,{children:[e]}),
i=[],r=[],et(t,t.__k,o||Pe,Pe,t.namespaceURI,o?null:t.firstChild?wt.call(t.childNodes):null,i,o?o.__e:t.firstChild,n,r),
Pt(i,t.__k,r),t.__k.props.children=null}w={__e:function(e,t,n,o){for(var i,r,a;t=t.__;)if((i=t.__c)&&!(1&i.__g)){i.__g|=4;try{if((a=(r=i.constructor)&&r.getDerivedStateFromError)&&
i.setState(r.getDerivedStateFromError(e)),i.componentDidCatch&&(i.componentDidCatch(e,o||{}),a=1),a&&8&i.__g)return void(i.
__g|=2)}catch(c){e=c}}throw Ce=0,e}},vt=0,Zn=function(e){return e!=null&&e.constructor===he},Se.prototype.setState=function(e,t){
var n=this.__s;n&&n!=this.state||(n=this.__s=ee({},this.state)),typeof e=="function"&&(e=e(ee({},n),this.props)),e&&(ee(
n,e),this.__v&&(t&&this.__k.push(t),gt(this)))},Se.prototype.forceUpdate=function(e){this.__v&&(this.__g|=4,e&&this.__h.
push(e),gt(this))},Se.prototype.render=S,G=[],Ce=0,bt=function(e,t){return e.__v.__b-t.__v.__b},xe=Symbol(),kt=/(PointerCapture)$|Capture$/i,
Je=0,Ye={},Yn=0;var ie,P,ot,At,st=Object.is,Ae=0,Ht=[],it=[],C=w,Lt=C.__b,Ot=C.__r,Rt=C.diffed,It=C.__c,$t=C.unmount,Dt=C.__;function Le(e,t){
C.__h&&C.__h(P,e,Ae||t),Ae=0;var n=P.__H||(P.__H={__:[],__h:[]});return e>=n.__.length&&n.__.push({}),n.__[e]}function x(e){
return Ae=1,te(jt,e)}function te(e,t,n){var o=Le(ie++,2);if(o.t=e,!o.__c&&(o.__=[n?n(t):jt(void 0,t),function(r){var a=(o.
__N||o.__)[0],c=o.t(a,r);st(a,c)||(o.__N=[c,o.__[1]],o.__c.setState({}))}],o.__c=P,!P.__f)){P.__f=!0;var i=P.shouldComponentUpdate;
P.shouldComponentUpdate=function(r,a,c){var d=this.__H;if(!d)return!0;var p=!1,u=this.props!=r;if(d.__.some(function(g){
g.__N&&(p=!0,st(g.__[0],g.__N[0])||(u=!0))}),i){var m=i.call(this,r,a,c);return p?m||u:m}return!p||u}}return o.__}function L(e,t){
var n=Le(ie++,3);!C.__s&&at(n.__H,t)&&(n.__P=!0,n.__=e,n.u=t,P.__H.__h.push(n))}function U(e,t){var n=Le(ie++,4);!C.__s&&
at(n.__H,t)&&(n.__P=!1,n.__=e,n.u=t,P.__h.push(n))}function O(e){return Ae=5,io(function(){return{current:e}},[])}function io(e,t){var n=Le(ie++,7);return at(n.__H,t)&&(n.__=e(),n.__H=t),n.__}function ro(){var e;do{for(;e=it.shift();)try{_e(e)}catch(n){C.__e(n,{__:(e=e.__P)&&e.__v})}for(;e=Ht.shift();){var t=e.
__H;if(e.__P&&t)try{t.__h.some(_e),t.__h.some(rt),t.__h=[]}catch(n){t.__h=[],C.__e(n,e.__v)}}}while(it.length)}C.__b=function(e){
P=null,Lt&&Lt(e)},C.__=function(e,t){e&&t.__k&&t.__k.__m&&(e.__m=t.__k.__m),Dt&&Dt(e,t)},C.__r=function(e){Ot&&Ot(e),ie=
0;var t=(P=e.__c).__H;t&&(ot==P?P.__h=[]:(t.__h.some(_e),t.__h.some(rt),ie=0),t.__h=[],t.__.some(function(n){n.__N&&(n.__=
n.__N),n.u=n.__N=void 0})),ot=P},C.diffed=function(e){Rt&&Rt(e);var t=e.__c;t&&t.__H&&(t.__H.__h.length&&Ft(Ht.push(t)),
t.__H.__.some(function(n){n.u&&(n.__H=n.u)})),ot=P=null},C.__c=function(e,t){t.some(function(n){try{n.__h.some(_e),n.__h=
n.__h.filter(function(o){return!o.__||rt(o)})}catch(o){n.__h=[function(){throw o}]}}),It&&It(e,t)},C.unmount=function(e){
$t&&$t(e);var t,n,o=e.__c;o&&o.__H&&(o.__H.__.some(function(i){try{if(i.__P&&i.__c){if(n===void 0){for(n=e.__;n&&(!n.__c||
!n.__c.__P);)n=n.__;n=n&&n.__c}i.__P=n,Ft(it.push(i))}else _e(i)}catch(r){t=r}}),o.__H=void 0,t&&C.__e(t,o.__v))};var Nt=typeof requestAnimationFrame==
"function";function ao(e){var t,n=function(){clearTimeout(o),Nt&&cancelAnimationFrame(t),setTimeout(e)},o=setTimeout(n,35);
Nt&&(t=requestAnimationFrame(n))}function Ft(e){e!=1&&At==C.requestAnimationFrame||((At=C.requestAnimationFrame)||ao)(ro)}
function _e(e){var t=P,n=e.__c;typeof n=="function"&&(e.__c=void 0,n()),P=t}function rt(e){var t=P;e.__c=e.__(),P=t}function at(e,t){
return!e||e.length!=t.length||t.some(function(n,o){return!st(n,e[o])})}function jt(e,t){return typeof t=="function"?t(e):
t}function ne(e){return typeof e=="object"&&e!==null&&!Array.isArray(e)}var I=e=>typeof e=="string"?e:null,lt=e=>typeof e==
"number"&&Number.isFinite(e)&&e>=0?e:null;function lo(e){let t=/^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(
e);return t?`${t[1]}.${(t[2]??"").padEnd(6,"0").slice(0,6)}`:null}function Ut(e){if(!ne(e))return null;let t=I(e.id),n=I(
e.user_id),o=I(e.username),i=I(e.content),r=I(e.created_at),a=r===null?null:lo(r);return t===null||n===null||o===null||i===
null||r===null||!a?null:{id:t,key:a,userId:n,username:o,content:i,createdAt:r,isBot:e.is_bot===!0,isError:e.is_error===!0}}
function Wt(e){return!ne(e)||!Array.isArray(e.messages)?[]:e.messages.map(Ut).filter(t=>t!==null)}function ct(e){if(!ne(
e))return null;let t=I(e.id),n=I(e.name),o=I(e.created_at);return t===null||n===null||o===null?null:{id:t,name:n,createdAt:o,
createdBy:I(e.created_by)??"",isEphemeral:e.ephemeral===!0,userCount:lt(e.user_count)??0}}function Bt(e){return!ne(e)||!Array.
isArray(e.chatrooms)?{rooms:[],cursor:null}:{rooms:e.chatrooms.map(ct).filter(t=>t!==null),cursor:I(e.next_cursor)||null}}
function Kt(e){if(!ne(e))return null;let t=I(e.id),n=I(e.username);return t===null||n===null?null:{id:t,username:n}}function co(e){
let t=new Map;if(ne(e))for(let[n,o]of Object.entries(e)){let i=lt(o);i!==null&&t.set(n,i)}return t}function zt(e){let t;
try{t=JSON.parse(e)}catch{return null}if(!ne(t))return null;switch(t.type){case"chat_message":{let n=Ut(t);return n&&{type:"\
chat_message",post:n}}case"message_ack":{let n=I(t.id);return n===null?null:{type:"message_ack",id:n,clientKey:I(t.client_key)}}case"\
user_joined":case"user_left":{let n=I(t.username);return n===null?null:{type:t.type,username:n}}case"user_count_update":
return{type:"user_count_update",counts:co(t.user_counts)};case"error":return{type:"error",message:I(t.message)??"The ser\
ver refused this",clientKey:I(t.client_key),waitMs:lt(t.retry_after_ms)};default:return null}}var uo=2e4,po=4,$=class extends Error{constructor(n,o,i){super(o);this.status=n;this.waitMs=i}};function fo(e){let t=Number(
e.headers.get("Retry-After")??NaN);return Number.isFinite(t)&&t>=0?t*1e3:null}function mo(e){let t=typeof e=="object"&&e!==
null?e.error:null;return typeof t=="string"?t:null}async function X(e,t,n){let o;try{o=await fetch(`/api/v1${t}`,{method:e,
credentials:"same-origin",signal:AbortSignal.timeout(uo),...n===void 0?{}:{headers:{"Content-Type":"application/json"},body:JSON.
stringify(n)}})}catch{throw new $(0,"The server cannot be reached",null)}let i=await o.json().catch(()=>null);if(!o.ok)throw new $(
o.status,mo(i)??"Something went wrong",fo(o));return i}function Vt(e){if(e===null)throw new $(0,"The server gave an answ\
er that makes no sense",null);return e}var N={async register(e,t,n){await X("POST","/auth/register",{username:e,email:t,
password:n})},async login(e,t){await X("POST","/auth/login",{username:e,password:t})},async logout(){await X("POST","/au\
th/logout")},async me(){return Vt(Kt(await X("GET","/auth/me")))},async rooms(e,t){let n=e===null?"":`&cursor=${encodeURIComponent(
e)}`;return Bt(await X("GET",`/chatrooms?limit=${t}${n}`))},async create(e,t){return Vt(ct(await X("POST","/chatrooms",t?
{name:e,ephemeral:t}:{name:e})))},async join(e){await X("POST",`/chatrooms/${encodeURIComponent(e)}/join`)},async messages(e,t,n){
let o=n===null?"":`&before=${encodeURIComponent(n)}`;return Wt(await X("GET",`/chatrooms/${encodeURIComponent(e)}/messag\
es?limit=${t}${o}`))}};async function Oe(e,t){for(let n=1;;n++)try{return await e()}catch(o){if(!(o instanceof $&&(o.status===
429||o.status===503))||n===po||!t())throw o;await new Promise(r=>setTimeout(r,(o.waitMs??1e3)+Math.random()*250))}}var Gt="confab",Re=(e,t)=>`${Gt}.${e}.${t}`;function qt(e,t){try{let n=JSON.parse(sessionStorage.getItem(Re(e,t))??"{}");
return{draft:typeof n.draft=="string"?n.draft:"",unsent:(Array.isArray(n.unsent)?n.unsent:[]).filter(o=>typeof o?.key=="\
string"&&typeof o.content=="string"&&typeof o.atMs=="number")}}catch{return{draft:"",unsent:[]}}}function Xt(e,t,n){try{
n.draft||n.unsent.length>0?sessionStorage.setItem(Re(e,t),JSON.stringify(n)):sessionStorage.removeItem(Re(e,t))}catch{}}
function Zt(e,t){try{return sessionStorage.getItem(Re(e,t))!==null}catch{return!1}}function Yt(){try{for(let e of Object.
keys(sessionStorage))e.startsWith(`${Gt}.`)&&sessionStorage.removeItem(e)}catch{}}var re=class{constructor(){this.watchers=new Set;this.planned=!1}watch(t){return this.watchers.add(t),()=>this.watchers.
delete(t)}changed(){if(this.planned)return;this.planned=!0;let t=!1,n=()=>{if(!t){t=!0,this.planned=!1;for(let o of[...this.
watchers])o()}};requestAnimationFrame(n),setTimeout(n,50)}};var Qt={phase:"idle",ending:null,attempt:0,rejoin:!0,liveSinceMs:0,dueMs:0,wasLive:!1};function dt(e,t){let n=Math.min(3e4,
2e3*2**e);return Math.round(300+t*(n-300))}function ho(e){let t=/\bretry_after_ms=(\d{1,7})\b/.exec(e);return t?Number(t[1]):
null}function ut(e,t){return[{...e,phase:"ended",ending:t,liveSinceMs:0,dueMs:0},[{do:"drop"}]]}function ge(e){let t=e.rejoin?
"joining":"connecting",n=e.rejoin?[{do:"join"}]:[{do:"connect"},{do:"wait",ms:15e3}];return[{...e,phase:t,liveSinceMs:0,
dueMs:0},n]}function pt(e,t,n){return[{...e,phase:"waiting",attempt:e.attempt+1,liveSinceMs:0,dueMs:n+t},[{do:"drop"},{do:"\
wait",ms:t}]]}function Jt(e,{status:t,waitMs:n},o,i){if(t===401)return ut(e,"signed-out");if(t===404)return ut(e,"gone");
let r=e.rejoin||t===403;return pt({...e,rejoin:r},Math.max(n??0,dt(e.attempt,i)),o)}function Ie(e,{code:t,reason:n},o,i){
let a=e.liveSinceMs>0&&o-e.liveSinceMs>=1e4?0:e.attempt,c=e.rejoin||e.phase==="connecting"||t===1008,d={...e,attempt:a,rejoin:c};
return t===1008&&a===0?ge({...d,attempt:1}):pt(d,ho(n)??dt(a,i),o)}function en(e,t,n,o){let i=[e,[]];if(e.phase==="ended")
return i;if(t.type==="left")return ut(e,"left");switch(e.phase){case"idle":return t.type==="start"?ge(e):i;case"joining":
return t.type==="joined"?ge({...e,rejoin:!1}):t.type==="refused"?Jt(e,t,n,o):i;case"connecting":return t.type==="opened"?
[{...e,phase:"entering"},[{do:"wait",ms:5e3}]]:t.type==="due"?pt({...e,rejoin:!0},dt(e.attempt,o),n):t.type==="closed"?Ie(
e,t,n,o):i;case"entering":return t.type==="welcomed"||t.type==="due"?[{...e,phase:"filling"},[{do:"fill"}]]:t.type==="cl\
osed"?Ie(e,t,n,o):i;case"filling":return t.type==="filled"?[{...e,phase:"live",liveSinceMs:n,wasLive:!0},[]]:t.type==="r\
efused"?Jt(e,t,n,o):t.type==="closed"?Ie(e,t,n,o):i;case"live":if(t.type==="closed")return Ie(e,t,n,o);if(t.type==="woke\
n"){let[r,a]=ge(e);return[r,[{do:"drop"},...a]]}return i;case"waiting":return t.type==="due"||t.type==="woken"?ge(e):i}}var tn={posts:[],pages:0};function nn(e,t,n,o){let i={posts:[...t,...e.posts],pages:e.pages+1},r=t[0];return!r||t.length<
n?[i,{more:!1,touches:!0,reachedStart:!0}]:o===null?[i,{more:!1,touches:!0,reachedStart:!1}]:r.key<=o?[i,{more:!1,touches:!0,
reachedStart:!1}]:i.pages>=20?[i,{more:!1,touches:!1,reachedStart:!1}]:[i,{more:!0,before:r.id}]}var $e=class{constructor(){this.people=new Map;this.connections=0;this.version=0}reset(){this.people.clear(),this.version++}joined(t){
this.people.set(t,(this.people.get(t)??0)+1),this.version++}left(t){let n=this.people.get(t)??0;n>1?this.people.set(t,n-
1):this.people.delete(t),this.version++}wrote(t){this.people.has(t)||(this.people.set(t,1),this.version++)}counted(t){t!==
this.connections&&(this.connections=t,this.version++)}names(t){let n=[...this.people.keys()].filter(o=>o!==t).sort((o,i)=>o.
localeCompare(i));return this.people.has(t)?[t,...n]:n}get unnamed(){let t=0;for(let n of this.people.values())t+=n;return Math.
max(0,this.connections-t)}};function ae(e){let t=e.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g,"");if(t==="/hello")return{kind:"hello"};let n=/^\/stock=([A-Za-z0-9.]{1,20})$/.
exec(t);return n?.[1]?{kind:"stock",code:n[1].toUpperCase()}:null}var _o=[{insert:"/stock=",title:"/stock=CODE",hint:"As\
k StockBot for a quote, as in /stock=AAPL.US"},{insert:"/hello",title:"/hello",hint:"A thought for the room"}];function on(e){
return!e.startsWith("/")||/\s/.test(e)?[]:_o.filter(({insert:t})=>t.startsWith(e)&&t!==e)}function sn(e){if(!e.startsWith(
"/"))return null;let t=ae(e);if(t?.kind==="stock")return{kind:"command",text:`StockBot will look up ${t.code}`};if(t?.kind===
"hello")return{kind:"command",text:"StockBot will say something"};let n=/^\/stock=(.*)$/s.exec(e)?.[1];return n===void 0?
null:n===""?{kind:"unfinished",text:"Type a symbol, as in AAPL.US"}:{kind:"ordinary",text:"Not a symbol (1 to 20 letters\
, digits and dots): sent as a message"}}function rn(e,t){return e.kind==="hello"||t.toUpperCase().includes(e.code)}var le=5e3,go=200,De=class{constructor(){this.posts=[];this.pending=[];this.atStart=!1;this.atEnd=!0;this.version=0;this.
extras=[];this.extraCount=0;this.ids=new Map;this.ownKeys=new Map;this.cached={version:-1,entries:[]}}has(t){return this.
ids.has(t)}get newest(){return this.posts[this.posts.length-1]}live(t){return t.isBot?(this.settleCommands(t),this.addExtra(
{kind:"bot",post:t}),!0):(this.matchOwn(t),!this.atEnd||!this.insert(t)?!1:(this.posts.length>le&&this.dropOldest(this.posts.
length-le),!0))}fill(t,n,o){!n&&this.posts.length>0&&this.forgetPosts();for(let i of t)this.matchOwn(i),this.insert(i);o&&
(this.atStart=!0),this.atEnd=!0,this.posts.length>le&&this.dropOldest(this.posts.length-le),this.version++}prepend(t,n){
for(let o of t)this.insert(o);if(n&&(this.atStart=!0),this.posts.length>le){for(let o of this.posts.splice(le))this.ids.
delete(o.id);this.atEnd=!1}this.version++}forgetPosts(){this.posts=[],this.ids.clear(),this.extras=[],this.atStart=!1,this.
atEnd=!0,this.version++}insert(t){if(this.ids.has(t.id))return!1;let n=0,o=this.posts.length;for(o>0&&this.posts[o-1].key<
t.key&&(n=o);n<o;){let i=n+o>>1;this.posts[i].key<t.key?n=i+1:o=i}return this.posts.splice(n,0,t),this.ids.set(t.id,t),this.
version++,!0}dropOldest(t){for(let o of this.posts.splice(0,t))this.ids.delete(o.id),this.ownKeys.delete(o.id);let n=this.
posts[0]?.key??"";this.extras=this.extras.filter(({after:o})=>o>=n),this.atStart=!1,this.version++}queue(t,n,o){let i={key:t,
content:n,atMs:o,sentMs:0,state:"sending",id:null,error:null,retryAtMs:0,isCommand:ae(n)!==null};return this.pending.push(
i),this.version++,i}unsent(){return this.pending.filter(({state:t})=>t==="sending")}sent(t,n){t.sentMs=n,t.isCommand&&(t.
state="asked"),this.version++}ack(t,n){let o=this.find(t);o&&(o.id=n,o.state="stored",o.error=null,this.version++,this.ids.
has(n)&&this.settle(o,n))}fail(t,n,o){let i=this.find(t);return!i||i.state==="stored"?!1:(i.state="failed",i.error=n,i.retryAtMs=
o,this.version++,!0)}retry(t){let n=this.find(t);if(n?.state==="failed")return n.state="sending",n.error=null,n.sentMs=0,
this.version++,n}discard(t){this.pending=this.pending.filter(n=>n.key!==t),this.version++}lostSocket(){for(let t of this.
pending)t.state==="asked"&&this.fail(t.key,"The connection was lost before StockBot answered",0)}find(t){return t===null?
void 0:this.pending.find(n=>n.key===t)}matchOwn(t){let n=this.pending.find(({id:o})=>o===t.id);n&&this.settle(n,t.id)}settle(t,n){
this.ownKeys.set(n,t.key),this.discard(t.key)}echo(t){let n=this.pending.find(o=>o.isCommand&&o.state==="asked"&&o.content===
t);return n&&this.answered(n),n!==void 0}note(t,n,o){this.addExtra({kind:t,username:n,atMs:o})}settleCommands(t){let n=this.
pending.find(o=>{let i=o.state==="asked"?ae(o.content):null;return i!==null&&rn(i,t.content)});n&&this.answered(n)}answered(t){
this.discard(t.key),this.addExtra({kind:"asked",content:t.content},t.key)}addExtra(t,n=`extra-${++this.extraCount}`){this.
extras.push({id:n,after:this.newest?.key??"",extra:t}),this.extras.length>go&&this.extras.shift(),this.version++}entries(){
if(this.cached.version===this.version)return this.cached.entries;let t=[],n=0,o=i=>{for(let r=this.extras[n];r&&(i===null||
r.after<i);r=this.extras[++n])yo(t,r)};for(let i of this.posts)o(i.key),t.push({kind:"post",id:this.ownKeys.get(i.id)??i.
id,post:i});this.atEnd&&o(null);for(let i of this.pending)t.push({kind:"pending",id:i.key,pending:i});return this.cached=
{version:this.version,entries:t},t}};function yo(e,{id:t,extra:n}){let o=e[e.length-1];n.kind==="bot"?e.push({kind:"bot",
id:t,post:n.post}):n.kind==="asked"?e.push({kind:"asked",id:t,content:n.content}):o?.kind==="notes"?o.notes.push(n):e.push(
{kind:"notes",id:t,notes:[n]})}var bo=12e3,ko=2e3,wo=9e4;function xo(){return[...crypto.getRandomValues(new Uint8Array(16))].map(e=>e.toString(16).padStart(
2,"0")).join("")}var Ne=class extends re{constructor(n,o,i){super();this.id=n;this.me=o;this.events=i;this.timeline=new De;
this.presence=new $e;this.connection=Qt;this.trouble=null;this.unread=0;this.unreadAfter=null;this.heard=null;this.loadingOlder=
!1;this.olderFailed=!1;this.socket=null;this.isWatched=!1;this.early=[];this.tickedMs=Date.now();let r=qt(o.id,n);this.draft=
r.draft,this.isUnfinished=r.draft!==""||r.unsent.length>0;for(let{key:a,content:c,atMs:d,error:p}of r.unsent)this.timeline.
queue(a,c,d),p&&this.timeline.fail(a,p,0);this.ticker=setInterval(()=>this.tick(),ko),this.on({type:"start"})}leave(){clearInterval(
this.ticker),this.on({type:"left"})}wake(){this.on({type:"woken"})}setWatched(n){n&&!this.isWatched&&this.unread===0&&(this.
unreadAfter=null),this.isWatched=n,n&&(this.unread=0),this.tick(),this.changed(),this.events.noticed()}setDraft(n){this.
draft=n,this.remember(),this.changed()}send(n){let o=this.timeline.queue(xo(),n,Date.now());this.unreadAfter=null,this.transmit(
o),this.setDraft("")}retry(n){let o=this.timeline.retry(n);o&&this.transmit(o),this.remember(),this.changed()}discard(n){
this.timeline.discard(n),this.remember(),this.changed()}dismissTrouble(){this.trouble!==null&&(this.trouble=null,this.changed())}async loadOlder(){
let n=this.timeline.posts[0];if(this.loadingOlder||this.timeline.atStart||!n)return;this.loadingOlder=!0,this.olderFailed=
!1,this.changed();let o=()=>this.connection.phase!=="ended"&&this.timeline.posts[0]?.id===n.id;try{let i=await Oe(()=>N.
messages(this.id,50,n.id),o);o()&&this.timeline.prepend(i,i.length<50)}catch(i){let r=i instanceof $?i.status:0;r===401&&
this.events.signedOut(),r===400&&this.timeline.prepend([],!0),this.olderFailed=r!==400}this.loadingOlder=!1,this.changed()}async loadNewest(){
if(!(this.timeline.atEnd||this.connection.phase!=="live")){this.timeline.forgetPosts(),this.changed();try{let n=await N.
messages(this.id,50,null);this.timeline.fill(n,!0,n.length<50)}catch{this.wake()}this.changed()}}on(n){let[o,i]=en(this.
connection,n,Date.now(),Math.random()),r=this.connection;this.connection=o,o.phase!==r.phase&&(clearTimeout(this.timer),
r.phase==="live"&&this.timeline.lostSocket(),o.phase==="ended"&&o.ending==="signed-out"&&this.events.signedOut());for(let a of i)
this.run(a);this.changed()}run(n){switch(n.do){case"join":this.attempt(()=>N.join(this.id),{type:"joined"});break;case"c\
onnect":this.connect();break;case"fill":this.attempt(()=>this.fill(),{type:"filled"});break;case"drop":this.socket?.close(
1e3),this.socket=null;break;case"wait":this.timer=setTimeout(()=>this.on({type:"due"}),n.ms);break}}attempt(n,o){let{phase:i}=this.
connection,{socket:r}=this,a=()=>this.connection.phase===i&&this.socket===r;n().then(()=>a()&&this.on(o),c=>{let d=c instanceof
$?c:new $(0,"",null);a()&&this.on({type:"refused",status:d.status,waitMs:d.waitMs})})}connect(){let n=location.protocol===
"https:"?"wss":"ws",o=new WebSocket(`${n}://${location.host}/ws/chat/${encodeURIComponent(this.id)}`);this.socket=o,this.
early=[];let i=r=>a=>{this.socket===o&&r(a)};o.onopen=i(()=>{this.presence.reset(),this.on({type:"opened"})}),o.onmessage=
i(({data:r})=>{let a=typeof r=="string"?zt(r):null;a&&this.take(a)}),o.onclose=i(({code:r,reason:a})=>{this.socket=null,
this.on({type:"closed",code:r,reason:a})})}take(n){switch(n.type){case"user_joined":this.presence.joined(n.username),this.
connection.phase==="entering"?(this.on({type:"welcomed"}),this.timeline.unsent().forEach(o=>this.transmit(o))):n.username!==
this.me.username&&this.timeline.note("joined",n.username,Date.now());break;case"user_left":this.presence.left(n.username),
n.username!==this.me.username&&this.timeline.note("left",n.username,Date.now());break;case"chat_message":this.connection.
phase==="live"?this.takePost(n.post):this.early.push(n.post);break;case"message_ack":this.timeline.ack(n.clientKey,n.id),
this.remember();break;case"user_count_update":{let o=n.counts.get(this.id);o!==void 0&&this.presence.counted(o),this.events.
counts(n.counts);break}case"error":this.takeError(n);break}this.changed()}takePost(n){if(n.isBot||this.presence.wrote(n.
username),!n.isBot&&ae(n.content)){this.timeline.echo(n.content);return}let o=this.timeline.newest?.key??"";this.timeline.
live(n)&&this.count([n],o),this.remember()}count(n,o){let i=n.filter(({userId:r,key:a})=>r!==this.me.id&&a>o);if(i.length!==
0){if(this.isWatched){this.heard=i[i.length-1];return}this.unread===0&&(this.unreadAfter=o),this.unread+=i.length,this.events.
noticed()}}takeError(n){let o=n.waitMs===null?0:Date.now()+n.waitMs;(!this.timeline.fail(n.clientKey,n.message,o)||o>0)&&
(this.trouble={message:n.message,untilMs:o}),this.remember()}async fill(){let{timeline:n,socket:o}=this,i=n.newest?.key??
null,r=i===null?50:100,a=tn;for(let d=null;n.atEnd;){let p=await this.pageOrNothing(r,d);if(this.socket!==o)return;let[u,
m]=nn(a,p,r,i);if(a=u,!m.more){n.fill(a.posts,m.touches,m.reachedStart),i!==null&&this.count(a.posts,i);break}d=m.before}
let{early:c}=this;this.early=[];for(let d of c)this.takePost(d);this.remember()}async pageOrNothing(n,o){try{return await N.
messages(this.id,n,o)}catch(i){if(o!==null&&i instanceof $&&i.status===400)return[];throw i}}transmit(n){!(this.connection.
phase==="filling"||this.connection.phase==="live")||this.socket?.readyState!==WebSocket.OPEN||(this.socket.send(JSON.stringify(
{type:"chat_message",content:n.content,client_key:n.key})),this.timeline.sent(n,Date.now()),this.changed())}tick(){let n=Date.
now(),o=n-this.tickedMs>wo;this.tickedMs=n;let i=this.connection.phase==="live"&&this.timeline.unsent().some(({sentMs:r})=>r>
0&&n-r>bo);(o||i)&&this.wake()}remember(){let n=this.timeline.pending.filter(({state:i})=>i==="sending"||i==="failed"),o=this.
isUnfinished;this.isUnfinished=this.draft!==""||n.length>0,Xt(this.me.id,this.id,{draft:this.draft,unsent:n.map(({key:i,
content:r,atMs:a,error:c})=>({key:i,content:r,atMs:a,error:c}))}),this.isUnfinished!==o&&this.events.noticed()}};var Fe=class{constructor(){this.rooms=[];this.cursor=void 0;this.version=0;this.byId=new Map}get(t){return this.byId.get(
t)}get isComplete(){return this.cursor===null}append(t){let n=t.rooms.filter(({id:o})=>!this.byId.has(o));t.rooms.forEach(
o=>this.put(o)),this.set([...this.rooms,...n]),this.cursor=t.cursor}refresh(t){let n=this.rooms.length===0||t.rooms.some(
({id:d})=>this.byId.has(d))||t.cursor===null,o=n?this.rooms:[],i=new Set(t.rooms.map(({id:d})=>d)),r=o.findIndex(({id:d})=>i.
has(d)),a=o.slice(0,Math.max(0,r)),c=o.slice(a.length).filter(({id:d})=>!i.has(d));return n||this.byId.clear(),t.rooms.forEach(
d=>this.put(d)),this.set([...a,...t.rooms,...c]),(!n||this.cursor===void 0)&&(this.cursor=t.cursor),n}add(t){this.byId.has(
t.id)||(this.put(t),this.set([t,...this.rooms]))}counted(t){this.rooms.forEach((n,o)=>{let i=t.get(n.id);(i!==void 0||o<
500)&&(n.userCount=i??0)}),this.version++}search(t){let n=an(t.trim());return n?this.rooms.filter(({name:o})=>an(o).includes(
n)):this.rooms}put(t){let n=this.byId.get(t.id);n?Object.assign(n,t):this.byId.set(t.id,t)}set(t){this.rooms=t.map(({id:n})=>this.
byId.get(n)),this.version++}};function an(e){return e.normalize("NFD").replace(new RegExp("\\p{M}","gu"),"").toLowerCase()}var Mo=3e4,ft=50,So=100,Eo=4,He=class extends re{constructor(n,o){super();this.me=n;this.onSignedOut=o;this.list=new Fe;
this.room=null;this.isListing=!1;this.listError=null;this.opened=[];this.isVisible=()=>document.visibilityState==="visib\
le";this.onLook=()=>{this.room?.setWatched(this.isVisible()),this.isVisible()&&this.refresh()};this.onOnline=()=>{for(let n of this.
opened)n.wake()};this.poll=setInterval(()=>this.isVisible()&&this.refresh(),Mo),document.addEventListener("visibilitycha\
nge",this.onLook),window.addEventListener("focus",this.onLook),window.addEventListener("online",this.onOnline),this.loadMore(
ft)}close(){clearInterval(this.poll),document.removeEventListener("visibilitychange",this.onLook),window.removeEventListener(
"focus",this.onLook),window.removeEventListener("online",this.onOnline);for(let n of this.opened)this.shut(n)}async logout(){
this.close(),Yt(),await N.logout().catch(()=>{}),this.onSignedOut(!0)}get unread(){return this.opened.reduce((n,{unread:o})=>n+
o,0)}openRoom(n){return this.opened.find(o=>o.id===n)}show(n){if(this.room?.id!==n){if(this.room?.setWatched(!1),this.room=
null,n!==null){let o=this.openRoom(n),i=o&&o.connection.phase!=="ended"?o:new Ne(n,this.me,{counts:r=>{this.list.counted(
r),this.changed()},signedOut:()=>this.onSignedOut(!1),noticed:()=>this.changed()});o&&o!==i&&this.shut(o),this.opened=[i,
...this.opened.filter(r=>r!==i)],this.opened.slice(Eo).forEach(r=>this.shut(r)),this.room=i,i.setWatched(this.isVisible()),
this.seek(()=>this.list.get(n)!==void 0,()=>this.room===i)}this.changed()}}shut(n){this.opened=this.opened.filter(o=>o!==
n),n.leave()}async create(n,o){let i=await N.create(n,o);return this.list.add(i),this.changed(),i}async loadMore(n=So){let{
cursor:o}=this.list;this.isListing||o===null||await this.listing(async()=>{let i=await Oe(()=>N.rooms(o??null,n),()=>!0);
this.list.append(i)})}async refresh(){if(!this.isListing){if(this.list.cursor===void 0)return this.loadMore(ft);await this.
listing(async()=>{this.list.refresh(await N.rooms(null,ft))})}}async seek(n,o){for(;!n()&&!this.list.isComplete&&o();)if(this.
isListing?await new Promise(i=>setTimeout(i,50)):await this.loadMore(),this.listError!==null)return}async listing(n){this.
isListing=!0,this.changed();try{await n(),this.listError=null}catch(o){o instanceof $&&o.status===401&&this.onSignedOut(
!1),this.listError=o instanceof Error?o.message:String(o)}this.isListing=!1,this.changed()}};var ln="confab-theme",Co=["system","light","dark"];function cn(){try{let e=localStorage.getItem(ln);return Co.find(t=>t===
e)??"system"}catch{return"system"}}function Po(e){e==="system"?delete document.documentElement.dataset.theme:document.documentElement.
dataset.theme=e}function un(e){try{localStorage.setItem(ln,e)}catch{}Po(e)}var To=Symbol.for("pv"),Ao=0;function s(e,t,n,o,i,r){t||(t={});var a,c,d=t;if("ref"in d&&typeof e!="function")for(c in d={},t)c=="ref"?a=t[c]:d[c]=t[c];
var p={type:e,props:d,key:n,ref:a,__k:null,__:null,__b:0,__e:null,__c:null,constructor:To,__v:--Ao,__i:-1,__u:0};return(i||
r)&&(p.__source=i,p.__self=r),w.vnode&&w.vnode(p),p}function T(e){return({size:t=20})=>s("svg",{class:"icon",width:t,height:t,viewBox:"0 0 24 24",fill:"none",stroke:"curren\
tColor","stroke-width":"1.75","stroke-linecap":"round","stroke-linejoin":"round","aria-hidden":"true",focusable:"false",
children:e})}var dn=T(s("path",{d:"M12 5v14M5 12h14"})),pn=T(s(S,{children:[s("circle",{cx:"11",cy:"11",r:"6.5"}),s("pat\
h",{d:"m20 20-4.2-4.2"})]})),fn=T(s(S,{children:[s("circle",{cx:"9",cy:"8",r:"3.5"}),s("path",{d:"M2.5 19.5c.6-3.4 3.2-5\
.5 6.5-5.5s5.9 2.1 6.5 5.5M16 4.8a3.5 3.5 0 0 1 0 6.4M18 14.6c1.8.8 3.1 2.5 3.5 4.9"})]})),mn=T(s("path",{d:"M12 19V5M5.\
5 11.5 12 5l6.5 6.5"})),hn=T(s("path",{d:"M12 5v14M5.5 12.5 12 19l6.5-6.5"})),_n=T(s(S,{children:[s("circle",{cx:"12",cy:"\
12",r:"4"}),s("path",{d:"M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M18.7 5.3l-1.4 1.4M6.7 \
17.3l-1.4 1.4"})]})),gn=T(s("path",{d:"M20 14.5A8.3 8.3 0 0 1 9.5 4a8.3 8.3 0 1 0 10.5 10.500Z"})),yn=T(s(S,{children:[s(
"rect",{x:"3",y:"4.5",width:"18",height:"12",rx:"2"}),s("path",{d:"M9 20h6M12 16.500V20"})]})),vn=T(s("path",{d:"M14 4H7\
a2 2 0 0 0-2 2v12a2 2 0 0 0 2 2h7M10 12h11M17.5 8.5 21 12l-3.5 3.5"})),bn=T(s("path",{d:"m14.5 5-7 7 7 7"})),Z=T(s("path",
{d:"M6 6l12 12M18 6 6 18"})),kn=T(s("path",{d:"m5 12.5 4.5 4.500L19 7.5"})),wn=T(s(S,{children:[s("circle",{cx:"12",cy:"\
12",r:"8.5"}),s("path",{d:"M12 7.500V12l3 2"})]})),ce=T(s(S,{children:[s("circle",{cx:"12",cy:"12",r:"8.5"}),s("path",{d:"\
M12 8v4.500M12 16v.01"})]})),je=T(s("path",{d:"M9.5 4 7.5 20M16.5 4l-2 16M4.5 9h15.500M4 15h15.5"})),Ue=T(s("path",{d:"M\
6.5 3.500h11M6.5 20.500h11M8 3.500c0 5 4 5.5 4 8.500s-4 3.5-4 8.500M16 3.500c0 5-4 5.5-4 8.500s4 3.5 4 8.5"})),xn=T(s(S,
{children:[s("path",{d:"M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12Z"}),s("circle",{cx:"12",cy:"1\
2",r:"3"})]})),We=T(s(S,{children:[s("rect",{x:"4.5",y:"8",width:"15",height:"11",rx:"3"}),s("path",{d:"M12 8V4.500M9 13\
v1M15 13v1M2.5 12.500v3M21.5 12.500v3"})]})),Mn=T(s("path",{d:"m4 20 .9-3.700L16 5.200a1.9 1.9 0 0 1 2.7 0l.1.100a1.9 1.\
9 0 0 1 0 2.700L7.7 19.1 4 20Z"})),Sn=T(s("path",{d:"M3.5 9.500A12.5 12.5 0 0 1 8 6.800M12.5 6c3 .2 5.8 1.4 8 3.500M6.8 \
13a8 8 0 0 1 3-1.800M14.5 11.400c1 .4 1.9.9 2.7 1.600M12 18v.01M4 4l16 16"}));function oe({size:e=28}){return s("svg",{class:"\
brand-mark",width:e,height:e,viewBox:"0 0 32 32","aria-hidden":"true",focusable:"false",children:[s("path",{class:"brand\
-back",d:"M12 10.500a4.5 4.5 0 0 1 4.5-4.500h8a4.5 4.5 0 0 1 4.5 4.500v5.500a4.5 4.5 0 0 1-4.5 4.500H24v3.300a.7.7 0 0 1\
-1.2.500L19 20.500h-2.500a4.5 4.5 0 0 1-4.5-4.500Z"}),s("path",{class:"brand-front",d:"M3 14a4.5 4.5 0 0 1 4.5-4.500h8A4\
.5 4.5 0 0 1 20 14v5.500a4.5 4.5 0 0 1-4.5 4.500H13l-3.8 3.800a.7.7 0 0 1-1.2-.500V24h-.500A4.5 4.5 0 0 1 3 19.500Z"})]})}var Be=[{theme:"system",name:"as the system",Icon:yn},{theme:"light",name:"light",Icon:_n},{theme:"dark",name:"dark",Icon:gn}];
function Ke(){let[e,t]=x(cn()),n=Be.findIndex(a=>a.theme===e),{name:o,Icon:i}=Be[n],r=Be[(n+1)%Be.length];return s("butt\
on",{type:"button",class:"icon-button theme-button","data-theme-choice":e,"aria-label":`Colours: ${o}. Change to ${r.name}`,
title:`Colours: ${o}`,onClick:()=>{un(r.theme),t(r.theme)},children:s(i,{})})}function ve(e){let t=0;for(let n of e)t++;return t}function mt(e){return e.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g,
"").replace(/[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]/g,t=>t.length===2?t:"�").replace(/^(?:[ \t]*\r?\n)+/,"").trimEnd()}
function En(e){return([...e.trim()].find(n=>n!=="_")??"?").toUpperCase()}var Lo=12;function Cn(e){let t=2166136261;for(let n of new TextEncoder().
encode(e))t=Math.imul(t^n,16777619);return(t>>>0)%Lo}function Pn(e){let t=[],n=0;for(let o of e.matchAll(/\bhttps?:\/\/[^\s<>"'`]+/gi)){
let i=o[0].replace(/[.,;:!?…]+$/,"");i.endsWith(")")&&!i.includes("(")&&(i=i.slice(0,-1));let r;try{r=new URL(i).href}catch{
continue}o.index>n&&t.push({text:e.slice(n,o.index)}),t.push({text:i,href:r}),n=o.index+i.length}return n<e.length&&t.push(
{text:e.slice(n)}),t}function Tn(e,t=3){if(e.length<=1)return e.join("");if(e.length<=t)return`${e.slice(0,-1).join(", ")}\
 and ${e[e.length-1]}`;let n=e.length-(t-1);return`${e.slice(0,t-1).join(", ")} and ${n} others`}function W(e,t,n=`${t}s`){
return`${e.toLocaleString()} ${e===1?t:n}`}var Oo=new Intl.DateTimeFormat(void 0,{timeStyle:"short"}),Ro=new Intl.DateTimeFormat(void 0,{dateStyle:"full",timeStyle:"\
medium"}),Io=new Intl.DateTimeFormat(void 0,{weekday:"long",day:"numeric",month:"long"}),$o=new Intl.DateTimeFormat(void 0,
{weekday:"long",day:"numeric",month:"long",year:"numeric"}),Ln=e=>Oo.format(e),On=e=>Ro.format(e),An=e=>String(e).padStart(
2,"0");function se(e){return`${e.getFullYear()}-${An(e.getMonth()+1)}-${An(e.getDate())}`}function Rn(e,t){let n=new Date(
t.getFullYear(),t.getMonth(),t.getDate()-1);return se(e)===se(t)?"Today":se(e)===se(n)?"Yesterday":(e.getFullYear()===t.
getFullYear()?Io:$o).format(e)}function ue(e,t){return Math.max(0,Math.ceil((e-t)/1e3))}function de({name:e,size:t="medium"}){return s("span",{class:`avatar avatar-${t} hue-${Cn(e)}`,"aria-hidden":"true",children:En(
e)})}function In(){return s("span",{class:"avatar avatar-medium avatar-bot","aria-hidden":"true",children:s(We,{size:20})})}
function ze({content:e}){return s("div",{class:"text",children:Pn(e).map(({text:t,href:n})=>n?s("a",{href:n,target:"_bla\
nk",rel:"noopener noreferrer nofollow",children:t}):t)})}function Ve({at:e}){return s("time",{dateTime:e.toISOString(),title:On(
e),children:Ln(e)})}function B(){return s("span",{class:"spinner","aria-hidden":"true"})}function be({label:e,name:t,type:n="text",autocomplete:o,hint:i,error:r,onInput:a,autofocus:c}){let[d,p]=x(!1),u=O(null),
m=n==="password";L(()=>{c&&u.current.focus()},[]);let g=[i&&`${t}-hint`,r&&`${t}-error`].filter(Boolean).join(" ");return s(
"div",{class:`field ${r?"field-wrong":""}`,children:[s("label",{for:t,children:e}),s("div",{class:"field-box",children:[
s("input",{id:t,name:t,type:m&&d?"text":n,autocomplete:o,autocapitalize:"none",spellcheck:!1,ref:u,"aria-invalid":r?"tru\
e":void 0,"aria-describedby":g||void 0,onInput:a}),m&&s("button",{type:"button",class:"field-eye","aria-label":"Show pas\
sword","aria-pressed":d,onClick:()=>p(!d),children:s(xn,{})})]}),r?s("p",{class:"field-error",id:`${t}-error`,children:r}):
i&&s("p",{class:"field-hint",id:`${t}-hint`,children:i})]})}var $n=e=>new TextEncoder().encode(e).length;function Do(e,t,n){
let o={};return/^[A-Za-z0-9_]{3,50}$/.test(e)||(o.username="Use 3 to 50 letters, digits and underscores."),(t.length>255||
!/^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$/.test(t))&&(o.email="This does not look like an e-mail address."),$n(
n)<8&&(o.password="Use at least 8 characters."),$n(n)>100&&(o.password="This is too long; use at most 100 characters."),
o}function No(e){return e instanceof $?e.status===400?"The server does not accept this name, address or password. A long\
er password, unlike the name, may do.":e.status===401?"That user name and password do not match.":e.status===409?"This u\
ser name or e-mail address is taken.":e.status===429?`Too many tries. Please wait ${Math.max(1,Math.ceil((e.waitMs??1e3)/
1e3))} s and try again.`:e.status===0?"The server cannot be reached. Check your connection and try again.":e.status>=500?
"The server cannot do this right now. Please try again in a moment.":e.message:"Something went wrong. Please try again."}
function Dn(e){let[t,n]=x({}),[o,i]=x(!1);return{faults:t,isBusy:o,onSubmit:async a=>{if(a.preventDefault(),o)return;let c=a.
currentTarget,d=Object.fromEntries([...new FormData(c)].map(([p,u])=>[p,String(u)]));i(!0),n({});try{await e(d)}catch(p){
let u=p instanceof ke?p.faults:{form:No(p)};n(u);let m=["username","email","password"].find(g=>u[g])??"password";c.querySelector(
`[name=${m}]`)?.focus()}i(!1)},clear:()=>Object.keys(t).length>0&&n({})}}var ke=class extends Error{constructor(n){super(
"what was typed cannot be right");this.faults=n}};function Nn({id:e,title:t,lead:n,notice:o,fault:i,isBusy:r,button:a,onSubmit:c,
children:d,footer:p}){return s("div",{class:"account",children:[s("header",{class:"account-top",children:[s("span",{class:"\
brand",children:[s(oe,{})," confab"]}),s(Ke,{})]}),s("main",{class:"card",children:[s("h1",{children:t}),s("p",{class:"l\
ead",children:n}),o&&s("p",{class:"notice",children:o}),s("form",{id:e,onSubmit:c,noValidate:!0,"aria-busy":r,children:[
s("div",{role:"alert",children:i&&s("p",{class:"form-error",children:[s(ce,{size:18})," ",i]})}),d,s("button",{class:"bu\
tton button-primary button-wide","aria-disabled":r,children:[r&&s(B,{})," ",a]})]}),s("p",{class:"card-foot",children:p})]})]})}
function Fn({onEntered:e,onLink:t,notice:n}){let{faults:o,isBusy:i,onSubmit:r,clear:a}=Dn(async({username:c="",password:d=""})=>{
let p={};if(c||(p.username="Enter your user name."),d||(p.password="Enter your password."),p.username||p.password)throw new ke(
p);await N.login(c,d),e()});return s(Nn,{id:"login",title:"Welcome back",lead:"Log in to join the conversation.",notice:n,
fault:o.form,isBusy:i,button:"Log in",onSubmit:r,footer:s(S,{children:["New here?"," ",s("a",{href:"/register",onClick:t,
children:"Create an account"})]}),children:[s(be,{label:"User name",name:"username",autocomplete:"username",error:o.username,
onInput:a,autofocus:!0}),s(be,{label:"Password",name:"password",type:"password",autocomplete:"current-password",error:o.
password,onInput:a})]})}function Hn({onEntered:e,onLink:t}){let{faults:n,isBusy:o,onSubmit:i,clear:r}=Dn(async({username:a="",
email:c="",password:d=""})=>{let p=Do(a,c,d);if(Object.keys(p).length>0)throw new ke(p);await N.register(a,c,d),await N.
login(a,d),e()});return s(Nn,{id:"register",title:"Create your account",lead:"A name, an address, a password. That is al\
l.",fault:n.form,isBusy:o,button:"Create account",onSubmit:i,footer:s(S,{children:["Already have an account?"," ",s("a",
{href:"/login",onClick:t,children:"Log in"})]}),children:[s(be,{label:"User name",name:"username",autocomplete:"username",
hint:"Letters, digits and underscores. Everyone sees it.",error:n.username,onInput:r,autofocus:!0}),s(be,{label:"E-mail",
name:"email",type:"email",autocomplete:"email",error:n.email,onInput:r}),s(be,{label:"Password",name:"password",type:"pa\
ssword",autocomplete:"new-password",hint:"At least 8 characters.",error:n.password,onInput:r})]})}function Ge(e){let[,t]=te(n=>n+1,0);return U(()=>e.watch(()=>t(void 0)),[e]),e}function pe(e){let[t,n]=x(Date.now());return L(
()=>{if(!e)return;n(Date.now());let o=setInterval(()=>n(Date.now()),250);return()=>clearInterval(o)},[e]),t}var Fo=800,qe="command-help";function jn({room:e,name:t,onSent:n}){let o=O(null),[i,r]=x(!1),[a,c]=x(0),[,d]=te(_=>_+1,0),
{draft:p,trouble:u}=e;pe(u!==null&&u.untilMs>0);let m=()=>e.trouble?ue(e.trouble.untilMs,Date.now()):0,g=()=>i?[]:on(e.draft),
l=()=>{let _=mt(e.draft),R=ve(_);return R>0&&R<=1e3&&m()===0?_:null},f=m(),y=g(),h=y[Math.min(a,y.length-1)],k=h?null:sn(
p),v=ve(mt(p));U(()=>{if(CSS.supports("field-sizing","content"))return;let _=o.current;_.style.height="auto",_.style.height=
`${_.scrollHeight}px`},[p,e]),L(()=>{matchMedia("(pointer: coarse)").matches||o.current.focus({preventScroll:!0})},[e]),
L(()=>{u!==null&&u.untilMs>0&&f===0&&e.dismissTrouble()},[u,f]);let E=_=>{e.setDraft(_),r(!1),c(0),d(void 0)},M=()=>{let _=l();
_!==null&&(e.send(_),e.dismissTrouble(),d(void 0),n())},K=({insert:_})=>{E(_),o.current.focus()},Y=_=>{if(_.isComposing)
return;let R=_.key==="ArrowDown"||_.ctrlKey&&_.key==="n",J=_.key==="ArrowUp"||_.ctrlKey&&_.key==="p",D=g(),j=Math.min(a,
D.length-1),A=D[j];A&&(R||J)?(_.preventDefault(),c((j+(R?1:D.length-1))%D.length)):A&&(_.key==="Enter"&&!_.shiftKey||_.key===
"Tab"&&!_.shiftKey)?(_.preventDefault(),K(A)):A&&_.key==="Escape"?(_.preventDefault(),r(!0)):_.key==="Enter"&&!_.shiftKey&&
!_.ctrlKey&&!_.altKey&&!_.metaKey&&(_.preventDefault(),M())};return s("div",{class:"composer-area",children:[s("div",{role:"\
alert",children:u&&s("p",{class:"trouble",children:[s(ce,{size:18}),s("span",{children:[u.message,f>0&&`. You can send a\
gain in ${f} s.`]}),s("button",{type:"button",class:"icon-button icon-button-small","aria-label":"Dismiss",onClick:()=>e.
dismissTrouble(),children:s(Z,{size:16})})]})}),h&&s("ul",{class:"command-help",id:qe,role:"listbox","aria-label":"Comma\
nds",children:y.map(_=>s("li",{id:`${qe}-${_.insert.replace(/\W/g,"")}`,role:"option","aria-selected":_===h,onPointerDown:R=>R.
preventDefault(),onClick:()=>K(_),children:[s("b",{children:_.title})," ",s("span",{children:_.hint})]},_.insert))}),s("\
form",{class:`composer ${v>1e3?"composer-over":""}`,id:"composer",onSubmit:_=>{_.preventDefault(),M(),o.current.focus()},
children:[s("textarea",{ref:o,name:"content",rows:1,placeholder:`Message ${t}`,"aria-label":`Message ${t}`,autocomplete:"\
off",enterkeyhint:"send","aria-autocomplete":"list","aria-haspopup":"listbox","aria-controls":h?qe:void 0,"aria-activede\
scendant":h?`${qe}-${h.insert.replace(/\W/g,"")}`:void 0,"aria-invalid":v>1e3?"true":void 0,"aria-describedby":"composer\
-note",value:p,onInput:({currentTarget:_})=>E(_.value),onKeyDown:Y}),s("button",{class:"send","aria-label":"Send",title:"\
Send","aria-disabled":l()===null,children:s(mn,{})})]}),s("p",{class:"composer-note",id:"composer-note",children:[k?s("s\
pan",{class:`hint hint-${k.kind}`,children:[s(We,{size:16})," ",k.text]}):s("span",{class:"keys",children:[s("kbd",{children:"\
Enter"})," sends, ",s("kbd",{children:"Shift Enter"})," begins a new line, ",s("kbd",{children:"/"})," shows commands"]}),
v>=Fo&&s("span",{class:`counter ${v>1e3?"counter-over":""}`,id:"counter",children:[v.toLocaleString()," of ",1e3.toLocaleString(),
" characters"]})]}),s("p",{class:"visually-hidden",role:"status",children:y.length>0?`${y.length} commands, arrows choos\
e, Enter takes`:""})]})}var Ho=5*6e4;function jo(e){let t=new Map;for(let{kind:i,username:r}of e){let a=t.get(r);a?a.last=i:t.set(r,{first:i,last:i})}
let n=(i,r)=>[...t].filter(([,a])=>a.first===i&&a.last===r).map(([a])=>a);return[[n("joined","joined"),"joined"],[n("lef\
t","joined"),"came back"],[n("joined","left"),"looked in"],[n("left","left"),"left"]].filter(([i])=>i.length>0).map(([i,
r])=>`${Tn(i)} ${r}`).join(" · ")}function Un(e,t,n,o){let i=[],r="",a=null,c=o===null,d=u=>{se(u)!==r&&(r=se(u),i.push(
{kind:"day",id:`day-${r}`,label:Rn(u,n),date:r}),a=null)},p=(u,m)=>{let g=a===null||a.author!==u||m.getTime()-a.atMs>Ho;
return a={author:u,atMs:m.getTime()},g};for(let u of e)switch(u.kind){case"post":{let{post:m,id:g}=u,l=new Date(m.createdAt),
f=m.userId===t.id;d(l),!c&&m.key>o&&!f&&(i.push({kind:"unread",id:"unread"}),c=!0,a=null),i.push({kind:"post",id:g,post:m,
at:l,leads:p(m.userId,l),isOwn:f});break}case"pending":{let{pending:m,id:g}=u,l=new Date(m.atMs);d(l),i.push({kind:"pend\
ing",id:g,pending:m,at:l,leads:p(t.id,l),isOwn:!0});break}case"bot":{let m=new Date(u.post.createdAt);d(m),i.push({kind:"\
bot",id:u.id,post:u.post,at:m}),a=null;break}case"asked":i.push({kind:"asked",id:u.id,content:u.content}),a=null;break;case"\
notes":d(new Date(u.notes[0].atMs)),i.push({kind:"notes",id:u.id,text:jo(u.notes)}),a=null;break}return i}function ht(e,t){let n=t===null?-1:e.findIndex(({id:o})=>o===t);return n<0?{from:Math.max(0,e.length-180),to:e.length}:{
from:n,to:Math.min(e.length,n+240)}}function Wn(e,t,n){let{from:o}=ht(e,t),i=Math.min(Math.max(0,o+n),Math.max(0,e.length-
1));return i+180>=e.length&&n>0?null:e[i]?.id??null}var Xe=500,Uo=60;function Wo({pending:e,room:t}){let n=pe(e.state==="failed"&&e.retryAtMs>Date.now()),o=ue(e.retryAtMs,n);
return e.state==="failed"?s("div",{class:"failure",role:"group","aria-label":"Not sent",children:[s(ce,{size:16}),s("spa\
n",{children:["Not sent: ",e.error,o>0&&` (${o} s)`]}),s("button",{type:"button",class:"link-button",disabled:o>0,onClick:()=>t.
retry(e.key),children:"Send again"}),s("button",{type:"button",class:"link-button",onClick:()=>t.discard(e.key),children:"\
Delete"})]}):null}function Bo({state:e}){return s("span",{class:`mark mark-${e}`,title:e==="stored"?"Stored":"Sending",children:[
e==="stored"?s(kn,{size:15}):s(wn,{size:14}),s("span",{class:"visually-hidden",children:e==="stored"?"stored":"sending"})]})}
function Ko({row:e,me:t,room:n}){switch(e.kind){case"day":return s("li",{class:"day","data-row":e.id,children:s("time",{
dateTime:e.date,children:e.label})});case"unread":return s("li",{class:"unread","data-row":e.id,children:s("span",{children:"\
New"})});case"notes":return s("li",{class:"notes","data-row":e.id,children:e.text});case"asked":return s("li",{class:"me\
ssage asked","data-row":e.id,children:[s(ze,{content:e.content}),s("span",{class:"only-you",children:"only you see this"})]});case"\
bot":return s("li",{class:`message bot ${e.post.isError?"bot-error":""}`,"data-row":e.id,"data-id":e.post.id,children:[s(
In,{}),s("div",{class:"body",children:[s("p",{class:"who",children:[s("b",{children:e.post.username}),s("span",{class:"t\
ag",children:"Bot"}),e.post.isError&&s("span",{class:"tag tag-warn",children:"Error"}),s(Ve,{at:e.at})]}),s(ze,{content:e.
post.content})]})]});case"pending":case"post":{let o=e.kind==="post"?e.post.username:t.username,i=e.kind==="post"?e.post.
content:e.pending.content,r=e.kind==="post"?"stored":e.pending.state;return s("li",{class:`message ${e.leads?"leads":""}\
 ${e.isOwn?"own":""} is-${r}`,"data-row":e.id,"data-id":e.kind==="post"?e.post.id:void 0,"data-state":r,children:[e.leads?
s(de,{name:o}):s("span",{class:"gutter",children:s(Ve,{at:e.at})}),s("div",{class:"body",children:[e.leads?s("p",{class:"\
who",children:[s("b",{children:o}),e.isOwn&&s("span",{class:"you",children:"you"}),s(Ve,{at:e.at})]}):s("span",{class:"v\
isually-hidden",children:[o,": "]}),s("div",{class:"line",children:[s(ze,{content:i}),e.isOwn&&r!=="failed"&&s(Bo,{state:r===
"stored"?"stored":"sending"}),e.kind==="pending"&&e.pending.isCommand&&s("span",{class:"only-you",children:"only you see\
 this"})]}),e.kind==="pending"&&s(Wo,{pending:e.pending,room:n})]})]})}}}function Bn({lines:e}){return s("div",{class:"s\
keleton-messages","aria-hidden":"true",children:Array.from({length:e},()=>s("div",{class:"skeleton-message",children:[s(
"i",{class:"bone bone-avatar"}),s("div",{children:[s("i",{class:"bone bone-name"}),s("i",{class:"bone bone-line"})]})]}))})}
function Kn({room:e,me:t,name:n,sends:o}){let{timeline:i}=e,r=O(null),a=O(null),[c,d]=x(null),[p,u]=x(!0),m=O(!0),g=O(null),
l=O(""),f=O(new Map),y=i.entries(),h=ht(y,c),k=Un(y.slice(h.from,h.to),t,new Date,e.unreadAfter),v=f.current;f.current=new Map;
let E=b=>{let F=v.get(b.id),V=b.kind==="post"&&F?.post===b.post&&F.leads===b.leads?F.line:s(Ko,{row:b,me:t,room:e},b.id);
return b.kind==="post"&&f.current.set(b.id,{post:b.post,leads:b.leads,line:V}),V},M=r.current?.scrollTop??0,K=h.to===y.length&&
i.atEnd,Y=()=>{if(g.current=null,m.current)return;let{scrollTop:b}=r.current,{top:F}=r.current.getBoundingClientRect();for(let z of a.
current.querySelectorAll(".message")){let{bottom:V}=z.getBoundingClientRect();if(!(V<=F)){g.current={id:z.dataset.row,bottom:V,
scrollTop:b};return}}},_=b=>d(Wn(y,c,b)),R=b=>{m.current=b,u(b)},J=()=>{d(null),R(!0),i.atEnd||e.loadNewest()},D=()=>{h.
from===0&&!i.atStart&&!e.loadingOlder&&!e.olderFailed&&e.connection.wasLive&&r.current.scrollTop<Xe&&e.loadOlder()},j=()=>{
let{scrollTop:b,scrollHeight:F,clientHeight:z}=r.current,V=F-b-z,me=K&&V<Uo;me!==m.current&&(R(me),me?d(null):c===null&&
d(y[h.from]?.id??null)),!me&&b<Xe&&h.from>0?_(-60):!me&&V<Xe&&h.to<y.length&&_(60),D(),Y()};U(()=>{let b=r.current,F=g.current,
z=F&&a.current.querySelector(`[data-row="${CSS.escape(F.id)}"]`);m.current?b.scrollTop=b.scrollHeight:z&&(b.scrollTop+=z.
getBoundingClientRect().bottom-(F.bottom+F.scrollTop-M)),m.current&&(l.current=i.newest?.key??""),Y()}),L(()=>{D(),!m.current&&
h.from>0&&r.current.scrollTop<Xe&&_(-60)}),U(()=>{let b=r.current,F=new ResizeObserver(()=>{m.current&&(b.scrollTop=b.scrollHeight)});
return F.observe(b),()=>F.disconnect()},[]),L(()=>{o>0&&J()},[o]);let A=0;if(!p)for(let b=i.posts.length-1;b>=0&&i.posts[b].
key>l.current;b--)A++;let H=!e.connection.wasLive&&i.posts.length===0;return s("div",{class:"messages",children:[s("div",
{ref:r,class:"scroller",id:"messages",tabIndex:0,role:"log","aria-live":"off","aria-label":`Messages in ${n}`,onScroll:j,
children:[s("div",{class:"filler"}),H?s(Bn,{lines:8}):h.from===0&&i.atStart?s("div",{class:"beginning",children:[s("h2",
{children:n}),s("p",{children:y.length>0?"This is where it began.":"Nobody has said anything yet. Begin!"})]}):h.from===
0&&e.olderFailed?s("div",{class:"older-failed",children:["Older messages could not be loaded."," ",s("button",{type:"but\
ton",class:"link-button",onClick:()=>{e.loadOlder()},children:"Try again"})]}):s(Bn,{lines:3}),s("ol",{ref:a,children:k.
map(E)})]}),!p&&s("button",{type:"button",class:`to-end ${A>0?"has-news":""}`,id:"to-end",onClick:J,children:[s(hn,{size:16}),
" ",A>0?W(A,"new message"):"To the newest"]})]})}function zn({room:e,me:t,onClose:n}){let{presence:o}=e,i=o.names(t.username);return s("aside",{class:"people",id:"people",
"aria-label":"Who is here",children:[s("header",{children:[s("h2",{children:"Who is here"}),s("button",{type:"button",class:"\
icon-button","aria-label":"Close the list of people",onClick:n,children:s(Z,{})})]}),s("ul",{children:i.map(r=>s("li",{children:[
s(de,{name:r,size:"small"}),s("span",{class:"people-name",children:r}),r===t.username&&s("span",{class:"you",children:"y\
ou"})]},r))}),o.unnamed>0&&s("p",{class:"people-more",children:["and ",W(o.unnamed,"more connection"),". Names appear wh\
en people come, write or go."]})]})}function zo(e){switch(e.connection.phase){case"live":return{kind:"live",text:"Connected"};case"waiting":return{kind:"los\
t",text:"Disconnected"};default:return{kind:"busy",text:e.connection.wasLive?"Reconnecting":"Connecting"}}}function Vo({
room:e}){let{phase:t,dueMs:n,attempt:o}=e.connection,i=t==="waiting",r=pe(i),a=t!=="live"&&t!=="ended"&&t!=="idle"&&o>0,
c=e.timeline.pending.filter(({state:d})=>d==="sending").length;return s("div",{role:"status",children:(i||a)&&s("div",{class:"\
banner",id:"banner",children:[i?s(Sn,{size:18}):s(B,{}),s("span",{children:[i?"The connection is lost. ":"Connecting aga\
in. ",s("span",{"aria-hidden":"true",children:i&&`Next try in ${ue(n,r)} s. `}),c>0?`${W(c,"message")} will be sent then\
.`:"What you write is kept and sent then."]}),i&&s("button",{type:"button",class:"link-button",onClick:()=>e.wake(),children:"\
Try now"})]})})}function Go({room:e}){return s("p",{class:"visually-hidden","aria-live":"polite",children:e.heard&&`${e.
heard.username}: ${e.heard.content.slice(0,300)}`})}function Vn({chat:e,room:t}){Ge(t);let[n,o]=x(!1),[i,r]=x(0),a=e.list.
get(t.id),c=a?.name??"",d=zo(t),p=t.presence.connections||a?.userCount||0;return L(()=>{let u=m=>{m.key==="Escape"&&!m.defaultPrevented&&
o(!1)};return document.addEventListener("keydown",u),()=>document.removeEventListener("keydown",u)},[]),t.connection.ending===
"gone"?s("main",{class:"room empty",children:[s("h1",{children:"This room does not exist"}),s("p",{children:"The address\
 may be mistyped."}),s("a",{class:"button",href:"#/",children:"All rooms"})]}):s(S,{children:[s("main",{class:"room","da\
ta-phase":t.connection.phase,"data-room":t.id,children:[s("header",{class:"room-top",children:[s("a",{class:"icon-button\
 back",href:"#/","aria-label":"All rooms",children:s(bn,{})}),s("span",{class:"room-sign",children:a?.isEphemeral?s(Ue,{}):
s(je,{})}),s("div",{class:"room-title",children:[s("h1",{id:"room-name-shown",children:c||s("span",{class:"bone bone-tit\
le"})}),s("p",{children:[s("span",{class:`status status-${d.kind}`,id:"status",role:"status",children:[s("span",{class:"\
dot"})," ",d.text]}),a?.isEphemeral&&s("span",{children:" · Nothing is kept"})]})]}),s("button",{type:"button",class:"p\
eople-button",id:"who-is-here","aria-expanded":n,"aria-controls":"people","aria-label":`Who is here: ${W(p,"connection")}`,
title:"Who is here",onClick:()=>o(!n),children:[s(fn,{size:18})," ",p.toLocaleString()]})]}),s(Vo,{room:t}),s(Kn,{room:t,
me:e.me,name:c,sends:i},t.id),s(jn,{room:t,name:c,onSent:()=>r(i+1)}),s(Go,{room:t})]}),n&&s(zn,{room:t,me:e.me,onClose:()=>o(
!1)})]})}function qn({chat:e,name:t,onDone:n}){let o=O(null),i=O(null),[r,a]=x(t),[c,d]=x(!1),[p,u]=x(null),[m,g]=x(!1);return U(
()=>{o.current.showModal(),i.current.focus()},[]),s("dialog",{ref:o,class:"dialog","aria-labelledby":"new-room-title",onClose:n,
onClick:f=>{f.target===o.current&&o.current?.close()},children:s("form",{id:"create",class:"dialog-body",onSubmit:async f=>{
if(f.preventDefault(),m)return;let y=r.replace(new RegExp("\\p{Cc}","gu")," ").trim();if(!y)return u("Give the room a na\
me.");if(ve(y)>100)return u(`A name has at most ${100} characters.`);g(!0);try{let h=await e.create(y,c);n(),location.hash=
`#/room/${h.id}`}catch(h){u(h instanceof Error?h.message:String(h)),g(!1)}},noValidate:!0,children:[s("header",{children:[
s("h2",{id:"new-room-title",children:"New room"}),s("button",{type:"button",class:"icon-button","aria-label":"Close",onClick:()=>o.
current?.close(),children:s(Z,{})})]}),s("div",{class:`field ${p?"field-wrong":""}`,children:[s("label",{for:"room-name",
children:"Name"}),s("div",{class:"field-box",children:s("input",{id:"room-name",name:"name",ref:i,autocomplete:"off",placeholder:"\
What is it about?",value:r,"aria-invalid":p?"true":void 0,"aria-describedby":"room-name-note",onInput:({currentTarget:f})=>{
a(f.value),u(null)}})}),s("p",{id:"room-name-note",class:p?"field-error":"field-hint",role:p?"alert":void 0,children:p??
"Everyone can find it and join."})]}),s("label",{class:"switch-line",children:[s("input",{type:"checkbox",name:"ephemera\
l",class:"switch",checked:c,onChange:({currentTarget:f})=>d(f.checked)}),s("span",{children:[s("b",{children:"Keep nothi\
ng"}),s("small",{children:"Messages are shown to those who are there, and never stored."})]})]}),s("footer",{children:[s(
"button",{type:"button",class:"button",onClick:()=>o.current?.close(),children:"Cancel"}),s("button",{class:"button butt\
on-primary","aria-disabled":m,children:[m&&s(B,{})," Create room"]})]})]})})}var qo=30,Xo=e=>`#/room/${e.id}`;function Zo({room:e,chat:t}){let n=t.room?.id===e.id,o=t.openRoom(e.id)?.unread??0,i=!n&&
Zt(t.me.id,e.id);return s("li",{children:s("a",{class:`room-link ${o?"is-unread":""}`,href:Xo(e),"data-room":e.id,"aria-\
current":n?"page":void 0,children:[s("span",{class:"room-sign",children:e.isEphemeral?s(Ue,{size:18}):s(je,{size:18})}),
s("span",{class:"room-name",children:e.name}),e.isEphemeral&&s("span",{class:"visually-hidden",children:", messages are \
not kept"}),i&&s("span",{class:"room-draft",title:"Not sent yet",children:[s(Mn,{size:15}),s("span",{class:"visually-hid\
den",children:", has a draft"})]}),o>0&&s("span",{class:"badge",children:[o>99?"99+":o,s("span",{class:"visually-hidden",
children:" unread"})]}),e.userCount>0&&s("span",{class:"room-count",title:`${W(e.userCount,"connection")} now`,children:[
s("span",{class:"dot"}),e.userCount.toLocaleString(),s("span",{class:"visually-hidden",children:" connected"})]})]})})}function Yo(){
return s("div",{class:"skeleton-rooms","aria-hidden":"true",children:Array.from({length:7},()=>s("div",{class:"skeleton-\
room",children:[s("i",{class:"bone bone-sign"}),s("i",{class:"bone bone-line"})]}))})}function Xn({chat:e}){let[t,n]=x(""),
[o,i]=x(!1),r=O(null),a=O(null),c=O(null),d=O("");d.current=t;let p=t.trim(),u=e.list.search(t),m=e.list.cursor===void 0;
L(()=>{p&&e.seek(()=>e.list.search(p).length>=qo,()=>d.current.trim()===p)},[p,e]),L(()=>{let f=new IntersectionObserver(
y=>{y.some(({isIntersecting:h})=>h)&&!d.current.trim()&&!e.listError&&e.loadMore()},{rootMargin:"200px"});return c.current&&
f.observe(c.current),()=>f.disconnect()},[e,e.list.rooms.length]),L(()=>{let f=y=>{(y.ctrlKey||y.metaKey)&&!y.altKey&&y.
key.toLowerCase()==="k"&&(y.preventDefault(),r.current?.focus(),r.current?.select())};return document.addEventListener("\
keydown",f),()=>document.removeEventListener("keydown",f)},[]);let g=()=>[...a.current?.querySelectorAll("a")??[]],l=f=>{
let y=f.key==="ArrowDown"?1:f.key==="ArrowUp"?-1:0;if(y===0)return;f.preventDefault();let h=g(),k=h.indexOf(document.activeElement)+
y;k<0?r.current?.focus():h[k]?.focus()};return s("nav",{class:"sidebar","aria-label":"Rooms",children:[s("header",{class:"\
sidebar-top",children:[s("a",{class:"brand",href:"#/","aria-label":"confab, all rooms",children:[s(oe,{size:26})," confa\
b"]}),s("button",{type:"button",class:"icon-button",id:"new-room","aria-label":"New room",title:"New room",onClick:()=>i(
!0),children:s(dn,{})})]}),s("div",{class:"search",onKeyDown:l,children:[s(pn,{size:18}),s("input",{ref:r,id:"search",type:"\
search",placeholder:"Find a room","aria-label":"Find a room",autocomplete:"off",value:t,onInput:({currentTarget:f})=>n(f.
value),onKeyDown:f=>{f.key==="Escape"&&t&&(f.preventDefault(),n("")),f.key==="Enter"&&g()[0]?.click()}}),t?s("button",{type:"\
button",class:"search-clear","aria-label":"Clear the search",onClick:()=>n(""),children:s(Z,{size:16})}):s("kbd",{"aria-\
hidden":"true",children:"Ctrl K"})]}),s("div",{class:"room-list",children:[m&&!e.listError&&s(Yo,{}),s("ul",{ref:a,onKeyDown:l,
id:"rooms",children:u.map(f=>s(Zo,{room:f,chat:e},f.id))}),p&&u.length===0&&e.list.isComplete&&s("div",{class:"list-empt\
y",children:[s("p",{children:["No room is called “",p,"”."]}),s("button",{type:"button",class:"button",onClick:()=>i(
!0),children:"Create it"})]}),!p&&e.list.isComplete&&e.list.rooms.length===0&&s("div",{class:"list-empty",children:[s("p",
{children:"No rooms yet."}),s("button",{type:"button",class:"button",onClick:()=>i(!0),children:"Create the first one"})]}),
e.listError&&s("div",{class:"list-empty",role:"alert",children:[s("p",{children:e.listError}),s("button",{type:"button",
class:"button",onClick:()=>{e.list.isComplete?e.refresh():e.loadMore()},children:"Try again"})]}),!e.list.isComplete&&!m&&
!e.listError&&s("button",{type:"button",class:"list-more",disabled:e.isListing,onClick:()=>{e.loadMore()},children:e.isListing?
s(S,{children:[s(B,{})," ",p?`Searching, ${W(e.list.rooms.length,"room")} so far`:"Loading"]}):p?"Search on":"More rooms"}),
s("div",{ref:c,class:"list-end"}),s("p",{class:"visually-hidden",role:"status",children:p&&!e.isListing?W(u.length,"room")+
" found":""})]}),s("footer",{class:"whoami",children:[s(de,{name:e.me.username,size:"small"}),s("span",{class:"whoami-na\
me",id:"me",children:e.me.username}),s(Ke,{}),s("button",{type:"button",class:"icon-button",id:"logout","aria-label":"Lo\
g out",title:"Log out",onClick:()=>{e.logout()},children:s(vn,{})})]}),o&&s(qn,{chat:e,name:u.length===0?p:"",onDone:()=>i(
!1)})]})}function Jo(){return/^#\/room\/([0-9a-f-]{36})$/.exec(location.hash)?.[1]??null}function Qo(e){let t=e.room&&e.list.get(
e.room.id)?.name;return`${e.unread>0?`(${e.unread}) `:""}${t?`${t} · `:""}confab`}function es({chat:e}){Ge(e),U(()=>{let n=()=>e.
show(Jo());return n(),window.addEventListener("hashchange",n),()=>window.removeEventListener("hashchange",n)},[e]);let t=Qo(
e);return U(()=>{document.title=t},[t]),s("div",{class:`chat ${e.room?"has-room":""}`,children:[s("a",{class:"skip",href:e.
room?"#composer":"#search",onClick:n=>{n.preventDefault(),document.querySelector("#composer textarea, #search")?.focus()},
children:"Skip to the message field"}),s(Xn,{chat:e}),e.room?s(Vn,{chat:e,room:e.room},e.room.id):s("main",{class:"room \
empty",children:[s(oe,{size:56}),s("h1",{children:"Choose a room"}),s("p",{children:"Pick one from the list, or make a n\
ew one with the plus above it."})]})]})}function ts({error:e,onRetry:t}){return s("main",{class:"waiting",children:e===null?
s(S,{children:[s(B,{}),s("p",{class:"visually-hidden",role:"status",children:"Loading"})]}):s(S,{children:[s(oe,{size:48}),
s("h1",{children:"No answer from the server"}),s("p",{role:"alert",children:e}),s("button",{type:"button",class:"button \
button-primary",onClick:t,children:"Try again"})]})})}function ns(){let[,e]=te(l=>l+1,0),[t,n]=x(null),[o,i]=x(null),[r,
a]=x(void 0),{pathname:c}=location,d=c==="/login"||c==="/register",p=l=>{history.pushState(null,"",l+location.hash),e(void 0)};
L(()=>{let l=()=>e(void 0);return window.addEventListener("popstate",l),()=>window.removeEventListener("popstate",l)},[]);
let u=async()=>{i(null);try{let l=await N.me(),f=new He(l,y=>{location.pathname==="/"&&(f.close(),y&&history.replaceState(
null,"","/"),n(null),a(y?void 0:"Your session has ended. Log in to go on."),p("/login"))});a(void 0),n(f)}catch(l){l instanceof
$&&l.status===401?p("/login"):i(l instanceof Error?l.message:String(l))}};L(()=>{!d&&!t&&u(),d&&t&&(t.close(),n(null)),d&&
(document.title=c==="/login"?"Log in · confab":"Create an account · confab")},[d,c,t]);let m=l=>{l.ctrlKey||l.metaKey||
l.shiftKey||(l.preventDefault(),p(l.currentTarget.pathname))},g=()=>p("/");return c==="/login"?s(Fn,{onEntered:g,onLink:m,
notice:r}):c==="/register"?s(Hn,{onEntered:g,onLink:m}):t?s(es,{chat:t}):s(ts,{error:o,onRetry:()=>{u()}})}Tt(s(ns,{}),document.
getElementById("app"));})();
